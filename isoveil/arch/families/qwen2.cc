// Qwen 2 and 2.5: Llama with biases on queries, keys and values, and RoPE pairs half a head apart in GGUF too.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family Qwen2Family() {
  return {.name = "qwen2",
          .hf_classes = {{"Qwen2ForCausalLM", "qwen2", {"Qwen2Model"}}},
          .hf = LlamaDialect(),
          .gguf = {},
          .public_fields = {"rope_scaling", "rope_parameters", "use_sliding_window", "sliding_window",
                            "max_window_layers", "layer_types"},
          .declare = [](Builder& b) { return DeclareDecoder(b); },
          .to_gguf = [](ConfigReader& config, uint64_t n_vocab,
                        GgufDescription& gguf) { return DecoderToGguf(config, n_vocab, {}, gguf); }};
}

}  // namespace isoveil
