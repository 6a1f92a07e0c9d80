#include "isoveil/arch/encoder.h"

#include "isoveil/arch/config_fields.h"

namespace isoveil {
namespace {

constexpr Field kSegments{"n_segments", "", {"type_vocab_size"}};
constexpr Field kEmbeddingWidth{"embedding_width", "", {"embedding_size"}};

Status AcceptFields(ConfigReader& config) {
  ISOVEIL_RETURN_IF_ERROR(
      config.Accept("position_embedding_type", {"absolute", nullptr}, "relative positions have no rule yet"));
  ISOVEIL_RETURN_IF_ERROR(config.Accept("is_decoder", {false, nullptr}, "the family is declared as an encoder"));
  ISOVEIL_RETURN_IF_ERROR(config.Accept("add_cross_attention", {false, nullptr}, "cross attention has no rule yet"));
  config.Keep({"embedding_size"});
  return config.Keep(field::kLayerNormEpsilon);
}

// The embeddings, normed where they are summed, and then made as wide as the layers.
Status DeclareEmbeddings(Builder& b, const Sizes& sizes, SpaceId residual) {
  SpaceId x = residual;
  if (b.Has("embd_project")) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t width, b.config().Count(kEmbeddingWidth, sizes.width));
    x = b.AddSpace("embedding", width);
  }
  b.Embedding("token_embd", x);
  b.PublicEmbedding("position_embd", sizes.n_positions, x);
  if (b.Has("token_types")) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_segments, b.config().Count(kSegments, 2));
    b.PublicEmbedding("token_types", n_segments, x);
  }
  b.KeptLayerNorm("token_embd_norm", x);
  if (x != residual) b.Linear("embd_project", {x}, residual);
  return Ok();
}

// The logits of masked tokens, from a layer whose output is as wide as the embedding and, tied to it, moves like it.
Status DeclareMaskedHead(Builder& b, SpaceId residual, Activation act) {
  const SpaceId x = b.graph().FindWeight("token_embd.weight")->axes.back().segments.front().space;
  b.Linear("mlm", {residual}, x);
  Activate(b.graph(), act, x);
  b.KeptLayerNorm("mlm_norm", x);
  return b.HeadWithBias("output", "output_bias", {x});
}

Status DeclareClassifier(Builder& b, const Sizes& sizes, SpaceId in, Activation act) {
  SpaceId x = in;
  if (b.Has("cls")) {
    x = b.AddSpace("classifier", sizes.width);
    b.Linear("cls", {in}, x);
    Activate(b.graph(), act, x);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const SpaceId labels, b.Labels("logits"));
  b.Linear("classifier", {x}, labels);
  return Ok();
}

}  // namespace

Status DeclareEncoder(Builder& b, const EncoderOptions& options) {
  ConfigReader& config = b.config();
  ISOVEIL_ASSIGN_OR_RETURN(const Activation act, ReadActivation(config, options.activation));
  ISOVEIL_RETURN_IF_ERROR(AcceptFields(config));
  ISOVEIL_ASSIGN_OR_RETURN(const Sizes sizes, ReadSizes(config));
  if (options.pad_stays) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint32_t pad, ConfigCount(*config.hf(), "pad_token_id", 1));
    ISOVEIL_RETURN_IF_ERROR(b.FixId(pad));
  }

  const SpaceId residual = b.AddSpace("residual", sizes.width);
  ISOVEIL_RETURN_IF_ERROR(DeclareEmbeddings(b, sizes, residual));
  AttentionExtras extras;
  if (options.relative_rows > 0) {
    extras.heads = b.graph().AddHeads("heads", sizes.attention);
    b.PerHead("relative_attn_bias", options.relative_rows, *extras.heads);
  }
  for (uint64_t i = 0; i < (options.one_layer ? 1 : sizes.n_layers); ++i) {
    const Builder layer = b.Layer(i);
    SelfAttention(layer, {residual}, residual, sizes.attention, extras);
    layer.KeptLayerNorm("attn_output_norm", residual);
    PlainFfn(layer, {residual}, residual, sizes.ffn_width, act);
    layer.KeptLayerNorm("layer_output_norm", residual);
  }
  if (b.Has("mlm")) return DeclareMaskedHead(b, residual, act);

  SpaceId top = residual;
  const bool classifies = b.Has("classifier");
  if (!classifies) b.Vectors("last_hidden_state", residual);
  if (b.Has("pooler")) {
    top = b.AddSpace("pooled", sizes.width);
    b.Linear("pooler", {residual}, top);
    Activate(b.graph(), Activation::kOdd, top);
    if (!classifies) b.Vectors("pooler_output", top);
  }
  return classifies ? DeclareClassifier(b, sizes, top, options.classifier_act) : Ok();
}

Dialect BertDialect(std::string prefix, std::vector<StoredTensor> other) {
  Dialect dialect{
      .modules = {{"embeddings.word_embeddings", {"token_embd"}},
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
                  {"pooler.dense", {"pooler"}},
                  {.name = "classifier", .roles = {"classifier"}, .unprefixed = true},
                  {.name = "cls.predictions.transform.dense", .roles = {"mlm"}, .unprefixed = true},
                  {.name = "cls.predictions.transform.LayerNorm", .roles = {"mlm_norm"}, .unprefixed = true},
                  {.name = "cls.predictions.decoder", .roles = {"output"}, .unprefixed = true},
                  {.name = "cls.predictions", .roles = {"output_bias"}, .unprefixed = true}},
      .prefixes = {"", std::move(prefix)},
      .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}};
  return dialect.With(std::move(other));
}

std::vector<std::string_view> EncoderPublicFields() {
  return {"hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "problem_type"};
}

}  // namespace isoveil
