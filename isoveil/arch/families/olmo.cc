// OLMo 1: Llama with LayerNorm that has no weights.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  const nlohmann::ordered_json* hf = b.config().hf();
  b.config().Keep({"clip_qkv"});
  const bool clamped = !hf->value("clip_qkv", nlohmann::ordered_json()).is_null();
  return DeclareDecoder(b, {.norm = NormKind::kBareLayer, .attention = {.clamped = clamped}});
}

}  // namespace

Family OlmoFamily() {
  return {.name = "olmo",
          .hf_classes = {{"OlmoForCausalLM", "olmo", {"OlmoModel"}}},
          .hf = LlamaDialect(),
          .gguf = {},
          .public_fields = {"attention_bias", "rope_scaling", "rope_parameters"},
          .declare = &Declare};
}

}  // namespace isoveil
