#include "isoveil/arch/encoder.h"

#include "isoveil/arch/config_fields.h"

namespace isoveil {
namespace {

constexpr Field kSegments{"n_segments", kTokenTypeCountKey, {"type_vocab_size"}};
constexpr Field kUnusedPositions{"unused_positions", "", {}};
constexpr const char* kNotInGguf = "llama.cpp pools vectors by itself";
constexpr const char* kNotRead = "the class's head does not read it";
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
Status DeclareEmbeddings(Builder& b, const Sizes& sizes, uint64_t unused, SpaceId residual) {
  SpaceId x = residual;
  if (b.Has("embd_project")) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t width, b.config().Count(kEmbeddingWidth, sizes.width));
    x = b.AddSpace("embedding", width);
  }
  b.Embedding("token_embd", x);
  if (unused > 0) b.PublicEmbedding("unused_positions", unused, x);
  b.PublicEmbedding("position_embd", sizes.n_positions - unused, x);
  if (b.Has("token_types")) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_segments, b.config().Count(kSegments, 2));
    b.PublicEmbedding("token_types", n_segments, x);
    b.Segments("token_type_ids", n_segments);
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

Activation ActivationOf(HeadFunction function) {
  switch (function) {
    case HeadFunction::kTanh: return Activation::kOdd;
    case HeadFunction::kRelu: return Activation::kPositive;
    default: return Activation::kGeneral;
  }
}

bool LabelsTokens(const ConfigReader& config) { return EncoderClass(config).ends_with("ForTokenClassification"); }

// Only a classifier of texts without a layer of its own reads the pooler; many checkpoints keep one that nothing reads.
bool ReadsPooler(const Builder& b) { return b.Has("pooler") && !b.Has("cls") && !LabelsTokens(b.config()); }

// The pooler, if there is one, and what it makes of the first token.
SpaceId DeclarePooler(Builder& b, const Sizes& sizes, SpaceId residual) {
  if (!b.Has("pooler")) return residual;
  const SpaceId pooled = b.AddSpace("pooled", sizes.width);
  b.Linear("pooler", {residual}, pooled);
  Activate(b.graph(), Activation::kOdd, pooled);
  return pooled;
}

Status DeclareClassifier(Builder& b, const Sizes& sizes, SpaceId residual, HeadFunction function) {
  const bool tokens = LabelsTokens(b.config());
  SpaceId x = residual;
  if (ReadsPooler(b)) {
    x = DeclarePooler(b, sizes, residual);
  } else {
    b.LeaveOut("pooler", kNotRead);
  }
  if (tokens) {
    b.LeaveOut("cls", kNotRead);
  } else if (b.Has("cls")) {
    x = b.AddSpace("classifier", sizes.width);
    b.Linear("cls", {residual}, x);
    Activate(b.graph(), ActivationOf(function), x);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const SpaceId labels, b.Labels("logits"));
  b.Linear(b.Has("token_classifier") ? "token_classifier" : "classifier", {x}, labels);
  return Ok();
}

// llama.cpp's numbers.
uint32_t GgufPooling(Pooling pooling) {
  switch (pooling) {
    case Pooling::kMean: return 1;
    case Pooling::kFirst: return 2;
    case Pooling::kLast: return 3;
  }
  return 0;
}

// The network gives vectors alone; the client makes labels of them.
Status LeaveHeads(Builder& b, const EncoderOptions& options, SpaceId residual) {
  b.Vectors("last_hidden_state", residual);
  for (const char* role : {"mlm", "mlm_norm", "output", "output_bias", "next_sentence"}) {
    b.LeaveOut(role, "llama.cpp computes no logits of masked tokens");
  }
  const bool pools = ReadsPooler(b);
  const bool tokens = b.Has("token_classifier") || LabelsTokens(b.config());
  if (!tokens && !b.Has("classifier")) {
    b.LeaveOut("pooler", kNotInGguf);
    return Ok();
  }
  if (!pools) b.LeaveOut("pooler", kNotRead);
  if (tokens || (!pools && !b.Has("cls"))) {
    return Fail(ErrorCode::kUnsupported, "target format",
                "the classifier labels tokens, and what the client applies labels whole texts",
                "leave out --to gguf: a Hugging Face folder becomes a Hugging Face folder");
  }
  b.config().NeedPooling(Pooling::kFirst);
  ClientHead head{.input = "last_hidden_state", .layers = {}};
  if (pools) head.layers.push_back({"pooler", HeadFunction::kTanh});
  if (b.Has("cls")) head.layers.push_back({"cls", options.classifier_function});
  head.layers.push_back({"classifier", HeadFunction::kNone});
  return b.LabelsByClient("logits", std::move(head));
}

}  // namespace

std::string EncoderClass(const ConfigReader& config) {
  using nlohmann::ordered_json;
  if (config.hf() == nullptr) return {};
  const ordered_json classes = config.hf()->value("architectures", ordered_json());
  const bool named = classes.is_array() && !classes.empty() && classes.front().is_string();
  return named ? classes.front().get<std::string>() : std::string();
}

Status DeclareEncoder(Builder& b, const EncoderOptions& options) {
  ConfigReader& config = b.config();
  ISOVEIL_ASSIGN_OR_RETURN(const Activation act, ReadActivation(config, options.activation));
  ISOVEIL_RETURN_IF_ERROR(AcceptFields(config));
  ISOVEIL_ASSIGN_OR_RETURN(const Sizes sizes, ReadSizes(config));
  uint64_t unused = 0;
  if (options.pad_stays) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint32_t pad, ConfigCount(*config.hf(), "pad_token_id", 1));
    ISOVEIL_RETURN_IF_ERROR(b.FixId(pad));
    ISOVEIL_ASSIGN_OR_RETURN(unused, config.Count(kUnusedPositions, pad + 1));
    if (unused >= sizes.n_positions) {
      return Fail(ErrorCode::kFormat, "config.json: max_position_embeddings",
                  fmt::format("expected more than pad_token_id and one, {}, found {}", unused, sizes.n_positions));
    }
  }

  const SpaceId residual = b.AddSpace("residual", sizes.width);
  ISOVEIL_RETURN_IF_ERROR(DeclareEmbeddings(b, sizes, unused, residual));
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
  if (b.heads_stay()) return LeaveHeads(b, options, residual);
  if (b.Has("mlm")) {
    for (const char* role : {"pooler", "next_sentence"}) b.LeaveOut(role, kNotRead);
    return DeclareMaskedHead(b, residual, act);
  }
  if (b.Has("classifier") || b.Has("token_classifier")) {
    return DeclareClassifier(b, sizes, residual, options.classifier_function);
  }
  b.Vectors("last_hidden_state", residual);
  const SpaceId pooled = DeclarePooler(b, sizes, residual);
  if (pooled != residual) b.Vectors("pooler_output", pooled);
  return Ok();
}

Status EncoderToGguf(ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) {
  // Of a configuration's "gelu" too: what stock llama.cpp computes for every BERT.
  for (const char* name : {"hidden_act", "activation"}) {
    ISOVEIL_RETURN_IF_ERROR(config.Accept(name, {"gelu", "gelu_new", "gelu_pytorch_tanh", nullptr},
                                          "llama.cpp computes GELU by its tanh approximation"));
  }
  if (config.counted(kEmbeddingWidth).value_or(0) != 0 &&
      config.counted(kEmbeddingWidth) != config.counted(field::kWidth)) {
    return Fail(ErrorCode::kUnsupported, "config.json: embedding_size", "differs from hidden_size",
                "llama.cpp has no map behind a narrower embedding; leave out --to gguf");
  }
  const uint64_t unused = config.counted(kUnusedPositions).value_or(0);
  gguf.Set("context_length", static_cast<uint32_t>(config.counted(field::kPositions).value() - unused));
  gguf.Set("vocab_size", static_cast<uint32_t>(n_vocab));
  gguf.Set("attention.causal", false);
  gguf.metadata.Set(kSegments.gguf, static_cast<uint32_t>(config.counted(kSegments).value_or(1)));
  // Where the file says nothing, transformers' class does.
  if (config.hf()->value("layer_norm_eps", nlohmann::ordered_json()).is_null()) {
    gguf.Set(field::kLayerNormEpsilon.gguf, 1e-12F);
  }
  // What sentence-transformers does with a folder that does not say.
  gguf.Set("pooling_type", GgufPooling(config.pooling().value_or(Pooling::kMean)));
  return Ok();
}

Dialect EncoderGguf() {
  return {.modules = {{.name = "unused_positions", .roles = {"unused_positions"}, .unstored = true}}};
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
                  {.name = "cls.seq_relationship", .roles = {"next_sentence"}, .unprefixed = true},
                  {.name = "cls.predictions.transform.dense", .roles = {"mlm"}, .unprefixed = true},
                  {.name = "cls.predictions.transform.LayerNorm", .roles = {"mlm_norm"}, .unprefixed = true},
                  {.name = "cls.predictions.decoder", .roles = {"output"}, .unprefixed = true},
                  {.name = "cls.predictions", .roles = {"output_bias"}, .unprefixed = true}},
      .prefixes = {"", std::move(prefix)},
      .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}};
  return dialect.With(std::move(other));
}

Dialect RobertaDialect(std::string prefix) {
  return BertDialect(std::move(prefix), {{"embeddings.position_embeddings", {"unused_positions", "position_embd"}},
                                         {.name = "classifier.dense", .roles = {"cls"}, .unprefixed = true},
                                         {.name = "classifier", .roles = {"token_classifier"}, .unprefixed = true},
                                         {.name = "classifier.out_proj", .roles = {"classifier"}, .unprefixed = true},
                                         {.name = "lm_head.dense", .roles = {"mlm"}, .unprefixed = true},
                                         {.name = "lm_head.layer_norm", .roles = {"mlm_norm"}, .unprefixed = true},
                                         {.name = "lm_head.decoder", .roles = {"output"}, .unprefixed = true},
                                         {.name = "lm_head", .roles = {"output_bias"}, .unprefixed = true}});
}

std::vector<std::string_view> EncoderPublicFields() {
  return {"hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "problem_type"};
}

}  // namespace isoveil
