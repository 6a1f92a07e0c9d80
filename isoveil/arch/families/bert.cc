// BERT: an encoder whose norms stand behind the residual sums, with learned positions and segments; it gives vectors.
#include "isoveil/arch/blocks.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

constexpr Field kSegments{"n_segments", "", {"type_vocab_size"}};

Status Declare(Builder& b) {
  ConfigReader& config = b.config();
  ISOVEIL_ASSIGN_OR_RETURN(const Activation act, ReadActivation(config, "hidden_act"));
  ISOVEIL_RETURN_IF_ERROR(
      config.Accept("position_embedding_type", {"absolute", nullptr}, "relative positions have no rule yet"));
  ISOVEIL_RETURN_IF_ERROR(config.Accept("is_decoder", {false, nullptr}, "the family is declared as an encoder"));
  ISOVEIL_RETURN_IF_ERROR(config.Accept("add_cross_attention", {false, nullptr}, "cross attention has no rule yet"));
  ISOVEIL_RETURN_IF_ERROR(config.Keep(field::kLayerNormEpsilon));
  ISOVEIL_ASSIGN_OR_RETURN(const Sizes sizes, ReadSizes(config));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_segments, config.Count(kSegments, 2));

  const SpaceId residual = b.AddSpace("residual", sizes.width);
  b.Embedding("token_embd", residual);
  b.PublicEmbedding("position_embd", sizes.n_positions, residual);
  b.PublicEmbedding("token_types", n_segments, residual);
  b.KeptLayerNorm("token_embd_norm", residual);
  for (uint64_t i = 0; i < sizes.n_layers; ++i) {
    const Builder layer = b.Layer(i);
    SelfAttention(layer, {residual}, residual, sizes.attention);
    layer.KeptLayerNorm("attn_output_norm", residual);
    PlainFfn(layer, {residual}, residual, sizes.ffn_width, act);
    layer.KeptLayerNorm("layer_output_norm", residual);
  }
  b.Vectors("last_hidden_state", residual);
  if (!b.Has("pooler")) return Ok();
  const SpaceId pooled = b.AddSpace("pooled", sizes.width);
  b.Linear("pooler", {residual}, pooled);
  b.graph().OddElementwise(pooled);  // tanh
  b.Vectors("pooler_output", pooled);
  return Ok();
}

}  // namespace

Family BertFamily() {
  return {.name = "bert",
          .hf_classes = {{"BertModel", "bert"}},
          .hf = {.modules = {{"embeddings.word_embeddings", {"token_embd"}},
                             {"embeddings.position_embeddings", {"position_embd"}},
                             {"embeddings.token_type_embeddings", {"token_types"}},
                             {"embeddings.LayerNorm", {"token_embd_norm"}},
                             {"encoder.layer.{}.attention.self.query", {"blk.{}.attn_q"}},
                             {"encoder.layer.{}.attention.self.key", {"blk.{}.attn_k"}},
                             {"encoder.layer.{}.attention.self.value", {"blk.{}.attn_v"}},
                             {"encoder.layer.{}.attention.output.dense", {"blk.{}.attn_output"}},
                             {"encoder.layer.{}.attention.output.LayerNorm", {"blk.{}.attn_output_norm"}},
                             {"encoder.layer.{}.intermediate.dense", {"blk.{}.ffn_up"}},
                             {"encoder.layer.{}.output.dense", {"blk.{}.ffn_down"}},
                             {"encoder.layer.{}.output.LayerNorm", {"blk.{}.layer_output_norm"}},
                             {"pooler.dense", {"pooler"}}},
                 .prefixes = {"", "bert."},
                 .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}},
          .gguf = {},
          .public_fields = {"hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"},
          .declare = &Declare};
}

}  // namespace isoveil
