#include "isoveil/arch/blocks.h"

#include "isoveil/arch/config_fields.h"

namespace isoveil {
namespace {

// Of a layer. No published model comes near it; each has weights in the graph before a tensor is looked at.
constexpr uint64_t kMostExperts = 4096;

Status Require(bool holds, std::string problem) {
  if (holds) return Ok();
  return Fail(ErrorCode::kFormat, "dimensions", std::move(problem));
}

}  // namespace

Result<Sizes> ReadSizes(ConfigReader& config, const SizeDefaults& defaults) {
  Sizes sizes;
  AttentionShape& attention = sizes.attention;
  ISOVEIL_ASSIGN_OR_RETURN(sizes.n_layers, config.Layers());
  ISOVEIL_ASSIGN_OR_RETURN(sizes.n_positions, config.Count(field::kPositions, defaults.n_positions));
  ISOVEIL_ASSIGN_OR_RETURN(sizes.width, config.Count(field::kWidth));
  const auto ffn = defaults.ffn_per_width ? std::optional(*defaults.ffn_per_width * sizes.width) : std::nullopt;
  ISOVEIL_ASSIGN_OR_RETURN(sizes.ffn_width, config.Count(field::kFfnWidth, ffn));
  ISOVEIL_ASSIGN_OR_RETURN(attention.n_heads, config.Count(field::kHeads));
  if (defaults.kv_heads) {
    attention.kv_heads = *defaults.kv_heads;
  } else {
    ISOVEIL_ASSIGN_OR_RETURN(attention.kv_heads, config.Count(field::kKvHeads, attention.n_heads));
  }
  ISOVEIL_ASSIGN_OR_RETURN(attention.head_dim, config.Count(field::kHeadDim, sizes.width / attention.n_heads));
  ISOVEIL_RETURN_IF_ERROR(
      Require(attention.n_heads % attention.kv_heads == 0,
              fmt::format("{} query heads do not share {} key/value heads", attention.n_heads, attention.kv_heads)));
  return sizes;
}

Result<uint64_t> ReadRotaryDim(ConfigReader& config, uint64_t head_dim, std::string_view fraction, double otherwise) {
  uint64_t of_head = head_dim;
  const nlohmann::ordered_json* hf = config.hf();
  if (fraction.empty()) {
    ISOVEIL_RETURN_IF_ERROR(
        config.Accept("partial_rotary_factor", {1.0, nullptr}, "RoPE is declared on the whole head"));
  } else if (hf != nullptr) {
    // transformers 5 nests it.
    config.Keep({fraction, "rope_parameters"});
    ISOVEIL_ASSIGN_OR_RETURN(const double nested, ConfigNumber(hf->value("rope_parameters", nlohmann::ordered_json()),
                                                               "partial_rotary_factor", otherwise));
    ISOVEIL_ASSIGN_OR_RETURN(const double part, ConfigNumber(*hf, fraction, nested));
    ISOVEIL_RETURN_IF_ERROR(
        Require(part > 0 && part <= 1, fmt::format("{}: expected 0 to 1, found {}", fraction, part)));
    of_head = static_cast<uint64_t>(static_cast<double>(head_dim) * part);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t rotary_dim, config.Count(field::kRotaryDim, of_head));
  ISOVEIL_RETURN_IF_ERROR(Require(
      rotary_dim <= head_dim && rotary_dim % 2 == 0,
      fmt::format("RoPE on {} of {} coordinates of a head: expected an even number of them", rotary_dim, head_dim)));
  return rotary_dim;
}

Result<Activation> ReadActivation(ConfigReader& config, std::string_view name) {
  ISOVEIL_RETURN_IF_ERROR(config.Accept(name,
                                        {"gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh",
                                         "quick_gelu", "silu", "swish", "mish", "relu", "relu2", nullptr},
                                        "the feed-forward layer is declared with a function of each coordinate"));
  const nlohmann::ordered_json* hf = config.hf();
  return hf != nullptr && hf->value(name, nlohmann::ordered_json()) == "relu" ? Activation::kPositive
                                                                              : Activation::kGeneral;
}

void Activate(Graph& graph, Activation act, SpaceId x) {
  switch (act) {
    case Activation::kGeneral: return graph.Elementwise(x);
    case Activation::kPositive: return graph.PositiveElementwise(x);
    case Activation::kOdd: return graph.OddElementwise(x);
  }
}

void SelfAttention(const Builder& layer, const Reader& in, SpaceId out, const AttentionShape& shape,
                   const AttentionExtras& extras) {
  Graph& graph = layer.graph();
  const AttentionAxes axes = graph.Attention(layer.label(), shape, extras.heads);
  layer.Linear("attn_q", in, axes.query);
  layer.Linear("attn_k", in, axes.key);
  layer.Linear("attn_v", in, axes.value);
  layer.Linear("attn_output", axes.output, out);
  if (extras.head_norm) {
    layer.NormHeads("attn_q_norm", axes.query, *extras.head_norm);
    layer.NormHeads("attn_k_norm", axes.key, *extras.head_norm);
  }
  if (extras.fixed_heads) graph.FixHeads(axes);
  if (!extras.clamped) return;
  for (const Axis* axis : {&axes.query, &axes.value}) graph.OddElementwise(axis->segments.front().space);
}

void GatedFfn(const Builder& layer, const Reader& in, SpaceId out, uint64_t ffn_width) {
  const SpaceId ffn = layer.AddSpace("ffn", ffn_width);
  const Graph::GatedAxes axes = layer.graph().GatedProduct(ffn);
  layer.Linear("ffn_gate", in, axes.gate);
  layer.Linear("ffn_up", in, axes.value);
  layer.Linear("ffn_down", {ffn}, out);
}

Result<ExpertShape> ReadExperts(ConfigReader& config, uint64_t ffn_width) {
  ExpertShape shape;
  ISOVEIL_ASSIGN_OR_RETURN(shape.n_experts, config.Count(field::kExperts));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t used, config.Count(field::kExpertsUsed));
  ISOVEIL_RETURN_IF_ERROR(Require(used <= shape.n_experts && shape.n_experts <= kMostExperts,
                                  fmt::format("{} of {} experts used: expected as many at most, and at most {} of them",
                                              used, shape.n_experts, kMostExperts)));
  ISOVEIL_ASSIGN_OR_RETURN(shape.ffn_width, config.Count(field::kExpertWidth, ffn_width));
  ISOVEIL_ASSIGN_OR_RETURN(shape.shared_width, config.Count(field::kSharedExpertWidth, shape.ffn_width));
  return shape;
}

void ExpertFfn(const Builder& layer, const Reader& in, SpaceId out, const ExpertShape& shape) {
  Graph& graph = layer.graph();
  const SpaceId experts = layer.AddSpace("experts", shape.n_experts);
  graph.Router(experts);
  layer.Linear("ffn_gate_inp", in, experts);
  const WeightId first = graph.weights().size();
  for (uint64_t i = 0; i < shape.n_experts; ++i) GatedFfn(layer.Expert(i), in, out, shape.ffn_width);
  graph.Members(experts, first);
  if (!layer.Has("ffn_up_shexp")) return;
  const SpaceId shared = layer.AddSpace("shared", shape.shared_width);
  const Graph::GatedAxes axes = graph.GatedProduct(shared);
  layer.Linear("ffn_gate_shexp", in, axes.gate);
  layer.Linear("ffn_up_shexp", in, axes.value);
  layer.Linear("ffn_down_shexp", {shared}, out);
  if (!layer.Has("ffn_gate_inp_shexp")) return;
  const SpaceId gate = layer.AddSpace("shared_gate", 1);
  graph.Elementwise(gate);
  layer.Linear("ffn_gate_inp_shexp", in, gate);
}

void PlainFfn(const Builder& layer, const Reader& in, SpaceId out, uint64_t ffn_width, Activation act) {
  const SpaceId ffn = layer.AddSpace("ffn", ffn_width);
  Activate(layer.graph(), act, ffn);
  layer.Linear("ffn_up", in, ffn);
  layer.Linear("ffn_down", {ffn}, out);
}

}  // namespace isoveil
