// Qwen 2 MoE and Qwen 3 MoE: Qwen with experts in some layers; the second one's are without a shared one.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Dialect WithExperts(const Dialect& dialect) {
  return dialect.With({{"layers.{}.mlp.gate", {"blk.{}.ffn_gate_inp"}},
                       {"layers.{}.mlp.experts.{}.gate_proj", {"blk.{}.ffn_gate.{}"}},
                       {"layers.{}.mlp.experts.{}.up_proj", {"blk.{}.ffn_up.{}"}},
                       {"layers.{}.mlp.experts.{}.down_proj", {"blk.{}.ffn_down.{}"}},
                       {"layers.{}.mlp.shared_expert.gate_proj", {"blk.{}.ffn_gate_shexp"}},
                       {"layers.{}.mlp.shared_expert.up_proj", {"blk.{}.ffn_up_shexp"}},
                       {"layers.{}.mlp.shared_expert.down_proj", {"blk.{}.ffn_down_shexp"}},
                       {"layers.{}.mlp.shared_expert_gate", {"blk.{}.ffn_gate_inp_shexp"}}});
}

const std::vector<std::string_view> kPublicFields = {
    "attention_bias",       "rope_scaling",         "rope_parameters", "use_sliding_window",  "sliding_window",
    "max_window_layers",    "layer_types",          "norm_topk_prob",  "decoder_sparse_step", "mlp_only_layers",
    "output_router_logits", "router_aux_loss_coef", "qkv_bias"};

// llama.cpp has experts in all layers, and for each family one way of weighing those that a token passes.
Status ToGguf(ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf,
              const std::vector<nlohmann::json>& sums_to_one) {
  constexpr const char* kLayers = "llama.cpp has experts in all layers";
  ISOVEIL_RETURN_IF_ERROR(config.Accept("decoder_sparse_step", {1, nullptr}, kLayers));
  ISOVEIL_RETURN_IF_ERROR(config.Accept("mlp_only_layers", {nlohmann::json::array(), nullptr}, kLayers));
  ISOVEIL_RETURN_IF_ERROR(
      config.Accept("norm_topk_prob", sums_to_one, "llama.cpp weighs the experts of this family otherwise"));
  return DecoderToGguf(config, n_vocab, {}, gguf);
}

}  // namespace

Family Qwen2MoeFamily() {
  return {.name = "qwen2moe",
          .hf_classes = {{"Qwen2MoeForCausalLM", "qwen2_moe", {"Qwen2MoeModel"}}},
          .hf = WithExperts(LlamaDialect()),
          .gguf = {.modules = GgufExperts()},
          .public_fields = kPublicFields,
          .declare = [](Builder& b) { return DeclareDecoder(b, {.experts = true}); },
          .to_gguf =
              [](ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) {
                return ToGguf(config, n_vocab, gguf, {false, nullptr});
              }};
}

Family Qwen3MoeFamily() {
  return {.name = "qwen3moe",
          .hf_classes = {{"Qwen3MoeForCausalLM", "qwen3_moe", {"Qwen3MoeModel"}}},
          .hf = WithExperts(LlamaDialect().With({{"layers.{}.self_attn.q_norm", {"blk.{}.attn_q_norm"}},
                                                 {"layers.{}.self_attn.k_norm", {"blk.{}.attn_k_norm"}}})),
          .gguf = {.modules = GgufExperts()},
          .public_fields = kPublicFields,
          .declare =
              [](Builder& b) {
                return DeclareDecoder(b, {.experts = true, .attention = {.head_norm = Graph::HeadNorm::kEachHead}});
              },
          .to_gguf = [](ConfigReader& config, uint64_t n_vocab,
                        GgufDescription& gguf) { return ToGguf(config, n_vocab, gguf, {true}); }};
}

}  // namespace isoveil
