// SmolLM3: Llama whose every fourth layer has no RoPE. Those layers have more symmetries; what RoPE leaves is drawn
// there too.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

// llama.cpp leaves RoPE out of every fourth layer, whatever a file says.
Status CheckLayers(ConfigReader& config) {
  config.Keep({"no_rope_layers", "no_rope_layer_interval", "layer_types"});
  const nlohmann::ordered_json layers = config.hf()->value("no_rope_layers", nlohmann::ordered_json());
  const nlohmann::ordered_json interval = config.hf()->value("no_rope_layer_interval", nlohmann::ordered_json(4));
  bool fits = layers.is_null() ? interval == 4 : layers.is_array();
  for (size_t i = 0; fits && layers.is_array() && i < layers.size(); ++i)
    fits = layers[i] == ((i + 1) % 4 != 0 ? 1 : 0);
  if (fits) return Ok();
  return Fail(ErrorCode::kUnsupported, "config.json: no_rope_layers",
              "llama.cpp computes this family without RoPE in every fourth layer, and in no other",
              "leave out --to gguf: a Hugging Face folder becomes a Hugging Face folder");
}

Status ToGguf(ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) {
  ISOVEIL_RETURN_IF_ERROR(CheckLayers(config));
  return DecoderToGguf(config, n_vocab, {}, gguf);
}

}  // namespace

Family Smollm3Family() {
  return {.name = "smollm3",
          .hf_classes = {{"SmolLM3ForCausalLM", "smollm3", {"SmolLM3Model"}}},
          .hf = LlamaDialect(),
          .gguf = {.modules = {}, .pairing = RopeLayout::Pairing::kInterleaved},
          .tied_by_default = true,
          .public_fields = {"attention_bias", "mlp_bias", "rope_scaling", "rope_parameters", "use_sliding_window",
                            "sliding_window", "max_window_layers", "layer_types", "no_rope_layers",
                            "no_rope_layer_interval", "pretraining_tp"},
          .declare = [](Builder& b) { return DeclareDecoder(b); },
          .to_gguf = &ToGguf};
}

}  // namespace isoveil
