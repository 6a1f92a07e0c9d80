// BERT, and MiniLM, BGE, E5 and GTE that are of its class: hidden states, masked tokens, labels of texts and of tokens.
#include "isoveil/arch/encoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family BertFamily() {
  return {.name = "bert",
          .hf_classes = {{"BertModel", "bert"},
                         {"BertForMaskedLM"},
                         {"BertForSequenceClassification"},
                         {"BertForTokenClassification"}},
          .hf = BertDialect("bert."),
          .gguf = EncoderGguf(),
          .tied_by_default = true,
          .public_fields = EncoderPublicFields(),
          .declare = [](Builder& b) { return DeclareEncoder(b); },
          .to_gguf = &EncoderToGguf};
}

}  // namespace isoveil
