// DistilBERT: BERT without segments and pooler, and with ReLU in front of the labels.
#include "isoveil/arch/encoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family DistilbertFamily() {
  return {
      .name = "distilbert",
      .hf_classes = {{"DistilBertModel", "distilbert"},
                     {"DistilBertForMaskedLM"},
                     {"DistilBertForSequenceClassification"},
                     {"DistilBertForTokenClassification"}},
      .hf = BertDialect("distilbert.")
                .With({{"transformer.layer.{}.attention.q_lin", {"blk.{}.attn_q"}},
                       {"transformer.layer.{}.attention.k_lin", {"blk.{}.attn_k"}},
                       {"transformer.layer.{}.attention.v_lin", {"blk.{}.attn_v"}},
                       {"transformer.layer.{}.attention.out_lin", {"blk.{}.attn_output"}},
                       {"transformer.layer.{}.sa_layer_norm", {"blk.{}.attn_output_norm"}},
                       {"transformer.layer.{}.ffn.lin1", {"blk.{}.ffn_up"}},
                       {"transformer.layer.{}.ffn.lin2", {"blk.{}.ffn_down"}},
                       {"transformer.layer.{}.output_layer_norm", {"blk.{}.layer_output_norm"}},
                       {.name = "pre_classifier", .roles = {"cls"}, .unprefixed = true},
                       {.name = "vocab_transform", .roles = {"mlm"}, .unprefixed = true},
                       {.name = "vocab_layer_norm", .roles = {"mlm_norm"}, .unprefixed = true},
                       {.name = "vocab_projector", .roles = {"output"}, .unprefixed = true}}),
      .gguf = EncoderGguf(),
      .tied_by_default = true,
      .public_fields = {"dropout", "attention_dropout", "seq_classif_dropout", "sinusoidal_pos_embds", "problem_type"},
      .declare =
          [](Builder& b) {
            return DeclareEncoder(b, {.activation = "activation", .classifier_function = HeadFunction::kRelu});
          },
      .to_gguf = &EncoderToGguf,
      .gguf_architecture = "bert"};
}

}  // namespace isoveil
