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
  return {.name = "mpnet",
          .hf_classes = {{"MPNetModel", "mpnet"},
                         {"MPNetForMaskedLM"},
                         {"MPNetForSequenceClassification"},
                         {"MPNetForTokenClassification"}},
          .hf = RobertaDialect("mpnet.").With({{"encoder.layer.{}.attention.attn.q", {"blk.{}.attn_q"}},
                                               {"encoder.layer.{}.attention.attn.k", {"blk.{}.attn_k"}},
                                               {"encoder.layer.{}.attention.attn.v", {"blk.{}.attn_v"}},
                                               {"encoder.layer.{}.attention.attn.o", {"blk.{}.attn_output"}},
                                               {"encoder.layer.{}.attention.LayerNorm", {"blk.{}.attn_output_norm"}},
                                               {"encoder.relative_attention_bias", {"relative_attn_bias"}}}),
          .gguf = {},
          .tied_by_default = true,
          .public_fields = EncoderPublicFields(),
          .declare = &Declare};
}

}  // namespace isoveil
