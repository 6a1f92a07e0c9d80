// RoBERTa, XLM-R, CamemBERT, BGE-M3 and the multilingual E5: BERT with positions that count from the id of padding, and
// heads of their own.
#include "isoveil/arch/encoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family RobertaFamily() {
  return {.name = "roberta",
          .hf_classes = {{"RobertaModel", "roberta"},
                         {"RobertaForMaskedLM"},
                         {"RobertaForSequenceClassification"},
                         {"RobertaForTokenClassification"},
                         {"XLMRobertaModel", "xlm-roberta"},
                         {"XLMRobertaForMaskedLM"},
                         {"XLMRobertaForSequenceClassification"},
                         {"XLMRobertaForTokenClassification"},
                         {"CamembertModel", "camembert"},
                         {"CamembertForMaskedLM"},
                         {"CamembertForSequenceClassification"}},
          .hf = RobertaDialect("roberta."),
          .gguf = EncoderGguf(),
          .tied_by_default = true,
          .public_fields = EncoderPublicFields(),
          .declare = [](Builder& b) { return DeclareEncoder(b, {.pad_stays = true}); },
          .to_gguf = &EncoderToGguf,
          .gguf_architecture = "bert"};
}

}  // namespace isoveil
