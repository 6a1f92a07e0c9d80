#include "isoveil/arch/builder.h"

#include <algorithm>

namespace isoveil {
namespace {

// Whether the head shares the embedding.
Result<bool> IsTied(Network& network, bool head_is_stored) {
  const nlohmann::ordered_json* hf = network.config.hf();
  if (hf == nullptr) return !head_is_stored;
  network.config.Keep({"tie_word_embeddings"});
  const auto tie = hf->value("tie_word_embeddings", nlohmann::ordered_json());
  const bool tied = tie.is_boolean() ? tie.get<bool>() : network.tied_by_default;
  if (!tied && !head_is_stored) {
    return Fail(ErrorCode::kNotFound, "lm_head.weight", "is missing, and config.json does not tie it to the embedding",
                "set tie_word_embeddings to true if the model shares them");
  }
  return tied;
}

}  // namespace

Builder Builder::Layer(uint64_t i) const {
  Builder layer = *this;
  layer.blk_ = fmt::format("blk.{}.", i);
  layer.label_ = fmt::format("layer.{}", i);
  return layer;
}

SpaceId Builder::AddSpace(std::string_view name, uint64_t dim) const {
  return graph().AddSpace(label_.empty() ? std::string(name) : fmt::format("{}.{}", label_, name), dim);
}

void Builder::Embedding(std::string_view role, SpaceId out) const {
  graph().Embedding(Weight(role), network_->vocab, out);
  graph().AddPort("input_ids", PortKind::kIds, network_->vocab);
}

void Builder::PublicEmbedding(std::string_view role, uint64_t n, SpaceId out) const {
  graph().PublicEmbedding(Weight(role), n, out);
}

Reader Builder::RmsNorm(std::string_view role, SpaceId x) const { return graph().RmsNorm(Weight(role), x); }

Reader Builder::LayerNorm(std::string_view role, SpaceId x, const std::vector<std::string_view>& readers) const {
  const bool biased = std::all_of(readers.begin(), readers.end(), [&](std::string_view map) { return HasBias(map); });
  return biased || !HasBias(role) ? graph().LayerNorm(Weight(role), BiasIfThere(role), x)
                                  : graph().LayerNormWithOwnBias(Weight(role), Bias(role), x);
}

void Builder::KeptRmsNorm(std::string_view role, SpaceId x) const { graph().KeptRmsNorm(Weight(role), x); }

void Builder::KeptLayerNorm(std::string_view role, SpaceId x) const {
  graph().KeptLayerNorm(Weight(role), BiasIfThere(role), x);
}

void Builder::NormHeads(std::string_view role, const Axis& x, Graph::HeadNorm how) const {
  graph().NormHeads(Weight(role), x, how);
}

void Builder::Linear(std::string_view role, const Reader& in, Axis out) const {
  graph().Linear(Weight(role), BiasIfThere(role), in, std::move(out));
}

void Builder::OptionalConstant(std::string_view role, uint64_t dim) const {
  if (network_->has(Weight(role))) graph().Constant(Weight(role), dim);
}

Status Builder::Head(std::string_view role, const Reader& in, std::string_view embedding) const {
  const bool stored = network_->has(Weight(role));
  ISOVEIL_ASSIGN_OR_RETURN(const bool tied, IsTied(*network_, stored));
  network_->tied_head = tied;
  if (tied && stored) network_->unread.emplace(Weight(role), "a copy of the embedding, to which the head is tied");
  graph().AddPort("logits", PortKind::kLogits, network_->vocab);
  graph().Head(Weight(role), BiasIfThere(role), in, network_->vocab,
               tied ? std::optional(Weight(embedding)) : std::nullopt);
  return Ok();
}

}  // namespace isoveil
