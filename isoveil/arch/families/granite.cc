// Granite 3 and 4, dense: Llama with scalars on embeddings, scores, residual sums and logits.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family GraniteFamily() {
  return {.name = "granite",
          .hf_classes = {{"GraniteForCausalLM", "granite", {"GraniteModel"}}},
          .hf = LlamaDialect(),
          .gguf = {},
          .public_fields = {"embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling",
                            "attention_bias", "mlp_bias", "rope_scaling", "rope_parameters"},
          .declare = [](Builder& b) { return DeclareDecoder(b); }};
}

}  // namespace isoveil
