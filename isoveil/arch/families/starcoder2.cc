// StarCoder 2: LayerNorm and biases everywhere, a plain feed-forward layer, RoPE and grouped keys.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family Starcoder2Family() {
  return {.name = "starcoder2",
          .hf_classes = {{"Starcoder2ForCausalLM", "starcoder2", {"Starcoder2Model"}}},
          .hf = LlamaDialect().With(
              {{"layers.{}.mlp.c_fc", {"blk.{}.ffn_up"}}, {"layers.{}.mlp.c_proj", {"blk.{}.ffn_down"}}}),
          .gguf = {},
          .tied_by_default = true,
          .public_fields = {"use_bias", "sliding_window", "residual_dropout", "embedding_dropout", "rope_scaling",
                            "rope_parameters"},
          .declare = [](Builder& b) { return DeclareDecoder(b, {.norm = NormKind::kLayer, .gated = false}); },
          .to_gguf = [](ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) -> Status {
            ISOVEIL_RETURN_IF_ERROR(
                config.Accept("hidden_act", {"gelu_new", "gelu_pytorch_tanh", nullptr}, "llama.cpp computes gelu_new"));
            return DecoderToGguf(config, n_vocab, {}, gguf);
          }};
}

}  // namespace isoveil
