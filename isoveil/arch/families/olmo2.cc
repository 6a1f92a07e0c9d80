// OLMo 2 and 3: norms behind attention and feed-forward layer only, and one over all heads of queries and keys. The
// third sees a window in most layers.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Dialect HfDialect() {
  return LlamaDialect().With({{"layers.{}.post_attention_layernorm", {"blk.{}.post_attention_norm"}},
                              {"layers.{}.post_feedforward_layernorm", {"blk.{}.post_ffw_norm"}},
                              {"layers.{}.self_attn.q_norm", {"blk.{}.attn_q_norm"}},
                              {"layers.{}.self_attn.k_norm", {"blk.{}.attn_k_norm"}}});
}

Status Declare(Builder& b) {
  return DeclareDecoder(b,
                        {.pre_norm = false, .post_norm = true, .attention = {.head_norm = Graph::HeadNorm::kAllHeads}});
}

}  // namespace

Family Olmo2Family() {
  return {.name = "olmo2",
          .hf_classes = {{"Olmo2ForCausalLM", "olmo2", {"Olmo2Model"}}},
          .hf = HfDialect(),
          .gguf = {},
          .public_fields = {"attention_bias", "rope_scaling", "rope_parameters"},
          .declare = &Declare,
          .to_gguf = [](ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) {
            return DecoderToGguf(config, n_vocab, {}, gguf);
          }};
}

Family Olmo3Family() {
  return {.name = "olmo3",
          .hf_classes = {{"Olmo3ForCausalLM", "olmo3", {"Olmo3Model"}}},
          .hf = HfDialect(),
          .gguf = {},
          .public_fields = {"attention_bias", "rope_scaling", "rope_parameters", "sliding_window", "layer_types"},
          .declare = &Declare};
}

}  // namespace isoveil
