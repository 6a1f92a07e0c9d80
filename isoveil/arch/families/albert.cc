// ALBERT: BERT with one layer that is run many times, and an embedding narrower than it.
#include "isoveil/arch/encoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  constexpr std::string_view kOne = "all layers are declared as one";
  ISOVEIL_RETURN_IF_ERROR(b.config().Accept("num_hidden_groups", {1, nullptr}, kOne));
  ISOVEIL_RETURN_IF_ERROR(b.config().Accept("inner_group_num", {1, nullptr}, kOne));
  return DeclareEncoder(b, {.one_layer = true});
}

std::string OfLayer(std::string_view name) {
  return "encoder.albert_layer_groups.0.albert_layers.0." + std::string(name);
}

}  // namespace

Family AlbertFamily() {
  return {
      .name = "albert",
      .hf_classes = {{"AlbertModel", "albert"},
                     {"AlbertForMaskedLM"},
                     {"AlbertForSequenceClassification"},
                     {"AlbertForTokenClassification"}},
      .hf = BertDialect("albert.").With({{"encoder.embedding_hidden_mapping_in", {"embd_project"}},
                                         {OfLayer("attention.query"), {"blk.{}.attn_q"}},
                                         {OfLayer("attention.key"), {"blk.{}.attn_k"}},
                                         {OfLayer("attention.value"), {"blk.{}.attn_v"}},
                                         {OfLayer("attention.dense"), {"blk.{}.attn_output"}},
                                         {OfLayer("attention.LayerNorm"), {"blk.{}.attn_output_norm"}},
                                         {OfLayer("ffn"), {"blk.{}.ffn_up"}},
                                         {OfLayer("ffn_output"), {"blk.{}.ffn_down"}},
                                         {OfLayer("full_layer_layer_norm"), {"blk.{}.layer_output_norm"}},
                                         {"pooler", {"pooler"}},
                                         {.name = "predictions.dense", .roles = {"mlm"}, .unprefixed = true},
                                         {.name = "predictions.LayerNorm", .roles = {"mlm_norm"}, .unprefixed = true},
                                         {.name = "predictions.decoder", .roles = {"output"}, .unprefixed = true},
                                         {.name = "predictions", .roles = {"output_bias"}, .unprefixed = true}}),
      .gguf = {},
      .tied_by_default = true,
      .public_fields = EncoderPublicFields(),
      .declare = &Declare};
}

}  // namespace isoveil
