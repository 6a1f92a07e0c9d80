#include "isoveil/arch/decoder.h"

#include <algorithm>

#include "isoveil/arch/config_fields.h"
#include "isoveil/arch/rope_scaling.h"

namespace isoveil {
namespace {

// llama.cpp's graph attends to all positions. Within the window that is the same function, so that is the context the
// result has.
Status LimitToWindow(ConfigReader& config, const Sizes& sizes, GgufDescription& gguf) {
  config.Keep({"sliding_window", "use_sliding_window", "max_window_layers"});
  if (config.hf()->value("use_sliding_window", nlohmann::ordered_json(true)) == false) return Ok();
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t window, ConfigCount(*config.hf(), "sliding_window", sizes.n_positions));
  if (window == 0) {
    return Fail(ErrorCode::kUnsupported, "config.json: sliding_window", "expected a positive number or null, found 0");
  }
  gguf.Set("context_length", static_cast<uint32_t>(std::min<uint64_t>(window, sizes.n_positions)));
  return Ok();
}

}  // namespace

Status DeclareDecoder(const Builder& b) {
  ConfigReader& config = b.config();
  ISOVEIL_RETURN_IF_ERROR(config.Accept("hidden_act", {"silu", nullptr}, "the gated product is declared with SiLU"));
  ISOVEIL_RETURN_IF_ERROR(config.Accept("partial_rotary_factor", {1.0, nullptr}, "RoPE is declared on the whole head"));
  ISOVEIL_RETURN_IF_ERROR(config.Keep(field::kRmsEpsilon));
  ISOVEIL_ASSIGN_OR_RETURN(Sizes sizes, ReadSizes(config));
  ISOVEIL_ASSIGN_OR_RETURN(sizes.attention.rotary_dim, ReadRotaryDim(config, sizes.attention.head_dim));

  const SpaceId residual = b.AddSpace("residual", sizes.width);
  b.Embedding("token_embd", residual);
  for (uint64_t i = 0; i < sizes.n_layers; ++i) {
    const Builder layer = b.Layer(i);
    SelfAttention(layer, layer.RmsNorm("attn_norm", residual), residual, sizes.attention);
    GatedFfn(layer, layer.RmsNorm("ffn_norm", residual), residual, sizes.ffn_width);
  }
  ISOVEIL_RETURN_IF_ERROR(b.Head("output", b.RmsNorm("output_norm", residual)));
  b.OptionalConstant("rope_freqs", sizes.attention.rotary_dim / 2);
  return Ok();
}

Status DecoderToGguf(ConfigReader& config, uint64_t n_vocab, const DecoderInGguf& there, GgufDescription& gguf) {
  ISOVEIL_ASSIGN_OR_RETURN(const Sizes sizes, ReadSizes(config));
  gguf.Set("attention.key_length", static_cast<uint32_t>(sizes.attention.head_dim));
  gguf.Set("attention.value_length", static_cast<uint32_t>(sizes.attention.head_dim));
  gguf.Set("vocab_size", static_cast<uint32_t>(n_vocab));
  ISOVEIL_RETURN_IF_ERROR(LimitToWindow(config, sizes, gguf));
  return RopeToGguf(config,
                    {.rotary_dim = sizes.attention.head_dim,
                     .n_positions = sizes.n_positions,
                     .reads_factors = there.reads_rope_factors},
                    gguf);
}

}  // namespace isoveil
