// MPNet: BERT without segments, with relative positions that all layers share; padding is known by id 1. Its heads are
// RoBERTa's.
#include "isoveil/arch/encoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  ISOVEIL_RETURN_IF_ERROR(b.config().Accept("pad_token_id", {1, nullptr}, "engines count positions from id 1"));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t rows,
                           b.config().Count({"relative_rows", "", {"relative_attention_num_buckets"}}, 32));
  return DeclareEncoder(b, {.pad_stays = true, .relative_rows = rows});
}

}  // namespace

Family MpnetFamily() {
  return {
      .name = "mpnet",
      .hf_classes = {{"MPNetModel", "mpnet"},
                     {"MPNetForMaskedLM"},
                     {"MPNetForSequenceClassification"},
                     {"MPNetForTokenClassification"}},
      .hf = BertDialect("mpnet.").With({{"embeddings.position_embeddings", {"unused_positions", "position_embd"}},
                                        {"encoder.layer.{}.attention.attn.q", {"blk.{}.attn_q"}},
                                        {"encoder.layer.{}.attention.attn.k", {"blk.{}.attn_k"}},
                                        {"encoder.layer.{}.attention.attn.v", {"blk.{}.attn_v"}},
                                        {"encoder.layer.{}.attention.attn.o", {"blk.{}.attn_output"}},
                                        {"encoder.layer.{}.attention.LayerNorm", {"blk.{}.attn_output_norm"}},
                                        {"encoder.relative_attention_bias", {"relative_attn_bias"}},
                                        {.name = "classifier.dense", .roles = {"cls"}, .unprefixed = true},
                                        {.name = "classifier", .roles = {"token_classifier"}, .unprefixed = true},
                                        {.name = "classifier.out_proj", .roles = {"classifier"}, .unprefixed = true},
                                        {.name = "lm_head.dense", .roles = {"mlm"}, .unprefixed = true},
                                        {.name = "lm_head.layer_norm", .roles = {"mlm_norm"}, .unprefixed = true},
                                        {.name = "lm_head.decoder", .roles = {"output"}, .unprefixed = true},
                                        {.name = "lm_head", .roles = {"output_bias"}, .unprefixed = true}}),
      .gguf = {},
      .tied_by_default = true,
      .public_fields = EncoderPublicFields(),
      .declare = &Declare};
}

}  // namespace isoveil
