// Granite 3 and 4, dense: Llama with scalars on embeddings, scores, residual sums and logits.
#include "isoveil/arch/config_fields.h"
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status ToGguf(ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) {
  constexpr std::pair<const char*, const char*> kScalars[] = {{"attention_multiplier", "attention.scale"},
                                                              {"embedding_multiplier", "embedding_scale"},
                                                              {"residual_multiplier", "residual_scale"},
                                                              {"logits_scaling", "logit_scale"}};
  for (const auto& [name, key] : kScalars) {
    config.Keep({name});
    ISOVEIL_ASSIGN_OR_RETURN(const double scalar, ConfigNumber(*config.hf(), name, 1));
    gguf.Set(key, static_cast<float>(scalar));
  }
  return DecoderToGguf(config, n_vocab, {}, gguf);
}

}  // namespace

Family GraniteFamily() {
  return {.name = "granite",
          .hf_classes = {{"GraniteForCausalLM", "granite", {"GraniteModel"}}},
          .hf = LlamaDialect(),
          .gguf = {.modules = {}, .pairing = RopeLayout::Pairing::kInterleaved},
          .public_fields = {"embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling",
                            "attention_bias", "mlp_bias", "rope_scaling", "rope_parameters"},
          .declare = [](Builder& b) { return DeclareDecoder(b); },
          .to_gguf = &ToGguf};
}

}  // namespace isoveil
