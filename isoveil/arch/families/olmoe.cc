// OLMoE: OLMo with norms in front of layers, one over all heads of queries and keys, and experts.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  b.config().Keep({"clip_qkv"});
  const bool clamped = !b.config().hf()->value("clip_qkv", nlohmann::ordered_json()).is_null();
  return DeclareDecoder(b,
                        {.experts = true, .attention = {.head_norm = Graph::HeadNorm::kAllHeads, .clamped = clamped}});
}

}  // namespace

Family OlmoeFamily() {
  return {.name = "olmoe",
          .hf_classes = {{"OlmoeForCausalLM", "olmoe", {"OlmoeModel"}}},
          .hf = LlamaDialect().With({{"layers.{}.self_attn.q_norm", {"blk.{}.attn_q_norm"}},
                                     {"layers.{}.self_attn.k_norm", {"blk.{}.attn_k_norm"}},
                                     {"layers.{}.mlp.gate", {"blk.{}.ffn_gate_inp"}},
                                     {"layers.{}.mlp.experts.{}.gate_proj", {"blk.{}.ffn_gate.{}"}},
                                     {"layers.{}.mlp.experts.{}.up_proj", {"blk.{}.ffn_up.{}"}},
                                     {"layers.{}.mlp.experts.{}.down_proj", {"blk.{}.ffn_down.{}"}}}),
          .gguf = {},
          .public_fields = {"attention_bias", "rope_scaling", "rope_parameters", "norm_topk_prob",
                            "output_router_logits", "router_aux_loss_coef"},
          .declare = &Declare};
}

}  // namespace isoveil
