// Seed-OSS: Llama with biases of queries, keys and values.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family SeedOssFamily() {
  return {.name = "seed_oss",
          .hf_classes = {{"SeedOssForCausalLM", "seed_oss", {"SeedOssModel"}}},
          .hf = LlamaDialect(),
          .gguf = {},
          .public_fields = {"attention_bias", "attention_out_bias", "mlp_bias", "rope_scaling", "rope_parameters",
                            "pretraining_tp"},
          .declare = [](Builder& b) { return DeclareDecoder(b); }};
}

}  // namespace isoveil
