#include "isoveil/arch/blocks.h"

namespace isoveil {
namespace {

Status Require(bool holds, std::string problem) {
  if (holds) return Ok();
  return Fail(ErrorCode::kFormat, "dimensions", std::move(problem));
}

}  // namespace

Result<Sizes> ReadSizes(ConfigReader& config, std::optional<uint64_t> ffn_per_width) {
  Sizes sizes;
  AttentionShape& attention = sizes.attention;
  ISOVEIL_ASSIGN_OR_RETURN(sizes.n_layers, config.Layers());
  ISOVEIL_ASSIGN_OR_RETURN(sizes.n_positions, config.Count(field::kPositions));
  ISOVEIL_ASSIGN_OR_RETURN(sizes.width, config.Count(field::kWidth));
  const auto ffn_default = ffn_per_width ? std::optional(*ffn_per_width * sizes.width) : std::nullopt;
  ISOVEIL_ASSIGN_OR_RETURN(sizes.ffn_width, config.Count(field::kFfnWidth, ffn_default));
  ISOVEIL_ASSIGN_OR_RETURN(attention.n_heads, config.Count(field::kHeads));
  ISOVEIL_ASSIGN_OR_RETURN(attention.kv_heads, config.Count(field::kKvHeads, attention.n_heads));
  ISOVEIL_ASSIGN_OR_RETURN(attention.head_dim, config.Count(field::kHeadDim, sizes.width / attention.n_heads));
  ISOVEIL_RETURN_IF_ERROR(
      Require(attention.n_heads % attention.kv_heads == 0,
              fmt::format("{} query heads do not share {} key/value heads", attention.n_heads, attention.kv_heads)));
  return sizes;
}

Result<uint64_t> ReadRotaryDim(ConfigReader& config, uint64_t head_dim) {
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t rotary_dim, config.Count(field::kRotaryDim, head_dim));
  ISOVEIL_RETURN_IF_ERROR(Require(
      rotary_dim <= head_dim && rotary_dim % 2 == 0,
      fmt::format("RoPE on {} of {} coordinates of a head: expected an even number of them", rotary_dim, head_dim)));
  return rotary_dim;
}

void SelfAttention(const Builder& layer, const Reader& in, SpaceId out, const AttentionShape& shape) {
  const AttentionAxes axes = layer.graph().Attention(layer.label(), shape);
  layer.Linear("attn_q", in, axes.query);
  layer.Linear("attn_k", in, axes.key);
  layer.Linear("attn_v", in, axes.value);
  layer.Linear("attn_output", axes.output, out);
}

void GatedFfn(const Builder& layer, const Reader& in, SpaceId out, uint64_t ffn_width) {
  const SpaceId ffn = layer.AddSpace("ffn", ffn_width);
  const Graph::GatedAxes axes = layer.graph().GatedProduct(ffn);
  layer.Linear("ffn_gate", in, axes.gate);
  layer.Linear("ffn_up", in, axes.value);
  layer.Linear("ffn_down", {ffn}, out);
}

void PlainFfn(const Builder& layer, const Reader& in, SpaceId out, uint64_t ffn_width) {
  const SpaceId ffn = layer.AddSpace("ffn", ffn_width);
  layer.graph().Elementwise(ffn);
  layer.Linear("ffn_up", in, ffn);
  layer.Linear("ffn_down", {ffn}, out);
}

}  // namespace isoveil
