// Qwen 3 and its embedding and reranking models: Llama with norms of queries and keys in each head.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family Qwen3Family() {
  return {
      .name = "qwen3",
      .hf_classes = {{"Qwen3ForCausalLM", "qwen3", {"Qwen3Model"}}},
      .hf = LlamaDialect().With({{"layers.{}.self_attn.q_norm", {"blk.{}.attn_q_norm"}},
                                 {"layers.{}.self_attn.k_norm", {"blk.{}.attn_k_norm"}}}),
      .gguf = {},
      .public_fields = {"attention_bias", "rope_scaling", "rope_parameters", "use_sliding_window", "sliding_window",
                        "max_window_layers", "layer_types"},
      .declare = [](Builder& b) { return DeclareDecoder(b, {.attention = {.head_norm = Graph::HeadNorm::kEachHead}}); },
      .to_gguf = [](ConfigReader& config, uint64_t n_vocab,
                    GgufDescription& gguf) { return DecoderToGguf(config, n_vocab, {}, gguf); }};
}

}  // namespace isoveil
