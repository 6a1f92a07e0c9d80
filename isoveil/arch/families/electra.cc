// ELECTRA, discriminators: BERT with an embedding that may be narrower than the layers.
#include "isoveil/arch/encoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family ElectraFamily() {
  return {.name = "electra",
          .hf_classes = {{"ElectraModel", "electra"},
                         {"ElectraForSequenceClassification"},
                         {"ElectraForTokenClassification"}},
          .hf = BertDialect("electra.")
                    .With({{"embeddings_project", {"embd_project"}},
                           {.name = "classifier.dense", .roles = {"cls"}, .unprefixed = true},
                           {.name = "classifier", .roles = {"token_classifier"}, .unprefixed = true},
                           {.name = "classifier.out_proj", .roles = {"classifier"}, .unprefixed = true}}),
          .gguf = EncoderGguf(),
          .public_fields = EncoderPublicFields(),
          .declare = [](Builder& b) { return DeclareEncoder(b, {.classifier_function = HeadFunction::kGelu}); },
          .to_gguf = &EncoderToGguf,
          .gguf_architecture = "bert"};
}

}  // namespace isoveil
