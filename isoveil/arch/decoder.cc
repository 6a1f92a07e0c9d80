#include "isoveil/arch/decoder.h"

#include <algorithm>

#include "isoveil/arch/config_fields.h"
#include "isoveil/arch/rope_scaling.h"

namespace isoveil {
namespace {

// llama.cpp's graph attends to all positions. Within the window that is the same function, so that is the context the
// result has.
Status LimitToWindow(ConfigReader& config, uint64_t n_positions, GgufDescription& gguf) {
  config.Keep({"sliding_window", "use_sliding_window", "max_window_layers"});
  if (config.hf()->value("use_sliding_window", nlohmann::ordered_json(true)) == false) return Ok();
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t window, ConfigCount(*config.hf(), "sliding_window", n_positions));
  if (window == 0) {
    return Fail(ErrorCode::kUnsupported, "config.json: sliding_window", "expected a positive number or null, found 0");
  }
  gguf.Set("context_length", static_cast<uint32_t>(std::min<uint64_t>(window, n_positions)));
  return Ok();
}

class Layers {
 public:
  Layers(const DecoderOptions& options, const Sizes& sizes, const std::optional<ExpertShape>& experts, Activation act,
         SpaceId residual)
      : options_(options), sizes_(sizes), experts_(experts), act_(act), residual_(residual) {}

  void Declare(const Builder& layer) const {
    // One norm in front of both has its readers in both.
    std::vector<std::string_view> readers = {"attn_q", "attn_k", "attn_v"};
    if (options_.one_norm) {
      for (const std::string_view map : ffn_inputs()) readers.push_back(map);
    }
    const Reader x = PreNorm(layer, options_.attn_norm, readers);
    SelfAttention(layer, x, residual_, sizes_.attention, options_.attention);
    PostNorm(layer, "post_attention_norm");
    Ffn(layer, options_.one_norm ? x : PreNorm(layer, options_.ffn_norm, ffn_inputs()));
    PostNorm(layer, "post_ffw_norm");
  }

  Reader Norm(const Builder& b, std::string_view role, const std::vector<std::string_view>& readers) const {
    switch (options_.norm) {
      case NormKind::kRms: return b.RmsNorm(role, residual_);
      case NormKind::kLayer: return b.LayerNorm(role, residual_, readers);
      case NormKind::kBareLayer: return b.BareLayerNorm(residual_);
    }
    return {residual_};
  }

 private:
  std::vector<std::string_view> ffn_inputs() const {
    return options_.gated ? std::vector<std::string_view>{"ffn_gate", "ffn_up"}
                          : std::vector<std::string_view>{"ffn_up"};
  }

  Reader PreNorm(const Builder& b, std::string_view role, const std::vector<std::string_view>& readers) const {
    return options_.pre_norm ? Norm(b, role, readers) : Reader{residual_};
  }

  void PostNorm(const Builder& b, std::string_view role) const {
    if (!options_.post_norm) return;
    if (options_.norm == NormKind::kRms) return b.KeptRmsNorm(role, residual_);
    return b.KeptLayerNorm(role, residual_);
  }

  void Ffn(const Builder& layer, const Reader& x) const {
    if (experts_ && layer.Has("ffn_gate_inp")) return ExpertFfn(layer, x, residual_, *experts_);
    if (options_.gated) return GatedFfn(layer, x, residual_, sizes_.ffn_width);
    return PlainFfn(layer, x, residual_, sizes_.ffn_width, act_);
  }

  const DecoderOptions& options_;
  const Sizes& sizes_;
  const std::optional<ExpertShape>& experts_;
  Activation act_;
  SpaceId residual_;
};

}  // namespace

Status DeclareDecoder(const Builder& b, const DecoderOptions& options) {
  ConfigReader& config = b.config();
  if (options.gated) {
    ISOVEIL_RETURN_IF_ERROR(config.Accept(options.activation, options.gate_activations,
                                          "engines compute the gate of this family with another function"));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const Activation act, ReadActivation(config, options.activation));
  ISOVEIL_RETURN_IF_ERROR(config.Keep(options.norm == NormKind::kRms ? field::kRmsEpsilon : field::kLayerNormEpsilon));
  ISOVEIL_ASSIGN_OR_RETURN(Sizes sizes, ReadSizes(config, options.sizes));
  if (options.rope) {
    ISOVEIL_ASSIGN_OR_RETURN(
        sizes.attention.rotary_dim,
        ReadRotaryDim(config, sizes.attention.head_dim, options.rotary_fraction, options.default_rotary_fraction));
  }

  const SpaceId residual = b.AddSpace("residual", sizes.width);
  b.Embedding("token_embd", residual);
  if (const auto before = options.rows_before_positions) {
    b.PublicEmbedding("position_embd", sizes.n_positions + *before, residual);
  }
  if (options.embedding_norm) b.KeptLayerNorm("token_embd_norm", residual);
  std::optional<ExpertShape> experts;
  if (options.experts) {
    ISOVEIL_ASSIGN_OR_RETURN(experts, ReadExperts(config, sizes.ffn_width));
  }
  const Layers layers(options, sizes, experts, act, residual);
  for (uint64_t i = 0; i < sizes.n_layers; ++i) layers.Declare(b.Layer(i));
  ISOVEIL_RETURN_IF_ERROR(b.Head("output", layers.Norm(b, "output_norm", {"output"})));
  if (options.rope) b.OptionalConstant("rope_freqs", sizes.attention.rotary_dim / 2);
  return Ok();
}

Status DecoderToGguf(ConfigReader& config, uint64_t n_vocab, const DecoderInGguf& there, GgufDescription& gguf) {
  const auto head_dim = static_cast<uint32_t>(config.counted(field::kHeadDim).value());
  const uint64_t n_positions = config.counted(field::kPositions).value();
  gguf.Set("attention.key_length", head_dim);
  gguf.Set("attention.value_length", head_dim);
  gguf.Set("vocab_size", static_cast<uint32_t>(n_vocab));
  ISOVEIL_RETURN_IF_ERROR(LimitToWindow(config, n_positions, gguf));
  return RopeToGguf(config,
                    {.rotary_dim = config.counted(field::kRotaryDim).value(),
                     .n_positions = n_positions,
                     .reads_factors = there.reads_rope_factors},
                    gguf);
}

}  // namespace isoveil
