// The Llama family: Llama 1 to 3.x, Mistral, Ministral, TinyLlama, SmolLM and all that share the shape. What Ministral
// 3 multiplies queries by depends on their position alone.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family LlamaFamily() {
  return {.name = "llama",
          .hf_classes = {{"LlamaForCausalLM", "llama", {"LLaMAForCausalLM", "LlamaModel"}},
                         {"MistralForCausalLM", "mistral", {"MistralModel"}},
                         {"MinistralForCausalLM", "ministral", {"MinistralModel"}},
                         {"Ministral3ForCausalLM", "ministral3", {"Ministral3Model"}}},
          .hf = LlamaDialect(),
          .gguf = {.modules = GgufExperts(), .pairing = RopeLayout::Pairing::kInterleaved},
          .public_fields = {"rope_scaling", "rope_parameters", "attention_bias", "mlp_bias", "pretraining_tp",
                            "sliding_window", "layer_types"},
          // Experts are Mixtral's, whose GGUF is named so too.
          .declare = [](Builder& b) { return DeclareDecoder(b, {.experts = b.Layer(0).Has("ffn_gate_inp")}); },
          .to_gguf =
              [](ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) {
                return DecoderToGguf(config, n_vocab, {.reads_rope_factors = true}, gguf);
              }};
}

}  // namespace isoveil
