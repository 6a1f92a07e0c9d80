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
          .hf = BertDialect("roberta.")
                    .With({{"embeddings.position_embeddings", {"unused_positions", "position_embd"}},
                           {.name = "classifier.dense", .roles = {"cls"}, .unprefixed = true},
                           {.name = "classifier", .roles = {"token_classifier"}, .unprefixed = true},
                           {.name = "classifier.out_proj", .roles = {"classifier"}, .unprefixed = true},
                           {.name = "lm_head.dense", .roles = {"mlm"}, .unprefixed = true},
                           {.name = "lm_head.layer_norm", .roles = {"mlm_norm"}, .unprefixed = true},
                           {.name = "lm_head.decoder", .roles = {"output"}, .unprefixed = true},
                           {.name = "lm_head", .roles = {"output_bias"}, .unprefixed = true}}),
          .gguf = EncoderGguf(),
          .tied_by_default = true,
          .public_fields = EncoderPublicFields(),
          .declare = [](Builder& b) { return DeclareEncoder(b, {.pad_stays = true}); },
          .to_gguf = &EncoderToGguf,
          .gguf_architecture = "bert"};
}

}  // namespace isoveil
