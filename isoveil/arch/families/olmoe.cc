// OLMoE: OLMo with norms in front of layers, one over all heads of queries and keys, and experts.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  b.config().Keep({"clip_qkv"});
  // GGUF has no such key: its graph clamps nothing.
  const nlohmann::ordered_json* hf = b.config().hf();
  const bool clamped = hf != nullptr && !hf->value("clip_qkv", nlohmann::ordered_json()).is_null();
  return DeclareDecoder(b,
                        {.experts = true, .attention = {.head_norm = Graph::HeadNorm::kAllHeads, .clamped = clamped}});
}

// llama.cpp's graph clamps nothing, leaves the experts' weights as the softmax over all gives them, and has as many
// heads of keys as of queries.
Status ToGguf(ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) {
  ISOVEIL_RETURN_IF_ERROR(config.Accept("clip_qkv", {nullptr}, "llama.cpp clamps nothing in this family"));
  ISOVEIL_RETURN_IF_ERROR(
      config.Accept("norm_topk_prob", {false, nullptr}, "llama.cpp weighs the experts of this family otherwise"));
  if (const uint64_t kv_heads = *config.counted(field::kKvHeads), heads = *config.counted(field::kHeads);
      kv_heads != heads) {
    return Fail(ErrorCode::kUnsupported, "config.json: num_key_value_heads",
                fmt::format("llama.cpp has as many as query heads, {}, in this family; found {}", heads, kv_heads),
                "leave out --to gguf: a Hugging Face folder becomes a Hugging Face folder");
  }
  return DecoderToGguf(config, n_vocab, {}, gguf);
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
          .gguf = {.modules = GgufExperts()},
          .public_fields = {"attention_bias", "rope_scaling", "rope_parameters", "norm_topk_prob",
                            "output_router_logits", "router_aux_loss_coef"},
          .declare = &Declare,
          .to_gguf = &ToGguf};
}

}  // namespace isoveil
