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

// "id2label" of config.json, whose keys are numbers as texts; two nameless ones where it is missing, as in
// transformers.
Result<std::vector<std::string>> ReadLabelNames(ConfigReader& config) {
  using nlohmann::ordered_json;
  const ordered_json labels = config.hf()->value("id2label", ordered_json());
  std::vector<std::string> names(labels.is_object() ? labels.size() : 2);
  if (labels.is_null()) return names;
  const auto malformed = [&] {
    return Fail(ErrorCode::kFormat, "config.json: id2label",
                fmt::format("expected texts under \"0\" to \"{}\"", names.empty() ? 0 : names.size() - 1),
                "the file is damaged; fetch it again");
  };
  if (names.empty()) return malformed();
  for (size_t i = 0; i < names.size(); ++i) {
    const auto it = labels.find(std::to_string(i));
    if (!labels.is_object() || it == labels.end() || !it->is_string()) return malformed();
    names[i] = it->get<std::string>();
  }
  return names;
}

// As transformers' pipelines and vLLM read it; a cross encoder of sentence-transformers may say that its numbers stand
// as they are.
Result<LabelFunction> ReadLabelFunction(ConfigReader& config, size_t n_labels) {
  using nlohmann::ordered_json;
  const ordered_json type = config.hf()->value("problem_type", ordered_json());
  if (type == "regression") return LabelFunction::kNone;
  if (type == "multi_label_classification") return LabelFunction::kSigmoid;
  if (!type.is_null() && type != "single_label_classification") {
    return Fail(ErrorCode::kUnsupported, "config.json: problem_type", "names no function of labels that has a rule");
  }
  const ordered_json sentence = config.hf()->value("sentence_transformers", ordered_json());
  const ordered_json function = sentence.is_object() ? sentence.value("activation_fn", ordered_json()) : ordered_json();
  if (function.is_string() && function.get<std::string>().ends_with("Identity")) return LabelFunction::kNone;
  return n_labels == 1 ? LabelFunction::kSigmoid : LabelFunction::kSoftmax;
}

}  // namespace

Builder Builder::Layer(uint64_t i) const {
  Builder layer = *this;
  layer.blk_ = fmt::format("blk.{}.", i);
  layer.label_ = fmt::format("layer.{}", i);
  return layer;
}

Builder Builder::Expert(uint64_t i) const {
  Builder expert = *this;
  expert.expert_ = fmt::format(".{}", i);
  expert.label_ = fmt::format("{}.expert.{}", label_, i);
  return expert;
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

void Builder::Segments(std::string_view name, uint64_t n) const {
  const SpaceId segments = AddSpace("segments", n);
  graph().Narrow(segments, Group::Trivial());
  graph().AddPort(std::string(name), PortKind::kSegments, segments);
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

void Builder::Linear(std::string_view role, const Reader& in, const Axis& out) const {
  graph().Linear(Weight(role), BiasIfThere(role), in, out);
}

void Builder::OptionalConstant(std::string_view role, uint64_t dim) const {
  if (network_->has(Weight(role))) graph().Constant(Weight(role), dim);
}

Status Builder::Head(std::string_view role, const Reader& in, std::string_view embedding) const {
  return Logits(role, BiasIfThere(role), in, embedding);
}

Status Builder::HeadWithBias(std::string_view role, std::string_view bias, const Reader& in) const {
  if (!HasBias(bias)) return Logits(role, BiasIfThere(role), in, "token_embd");
  // Some save the same numbers under the weight's name too.
  if (HasBias(role)) network_->unread.emplace(Bias(role), "a copy of the bias that is stored apart");
  return Logits(role, Bias(bias), in, "token_embd");
}

Status Builder::Logits(std::string_view role, std::string bias, const Reader& in, std::string_view embedding) const {
  const bool stored = network_->has(Weight(role));
  ISOVEIL_ASSIGN_OR_RETURN(const bool tied, IsTied(*network_, stored));
  network_->tied_head = tied;
  if (tied && stored) network_->unread.emplace(Weight(role), "a copy of the embedding, to which the head is tied");
  graph().AddPort("logits", PortKind::kLogits, network_->vocab);
  graph().Head(Weight(role), std::move(bias), in, network_->vocab,
               tied ? std::optional(Weight(embedding)) : std::nullopt);
  return Ok();
}

Result<SpaceId> Builder::Labels(std::string_view name) const {
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<std::string> names, ReadLabelNames(config()));
  ISOVEIL_ASSIGN_OR_RETURN(const LabelFunction function, ReadLabelFunction(config(), names.size()));
  const SpaceId labels = AddSpace("labels", names.size());
  graph().Elementwise(labels);
  graph().AddPort(std::string(name), PortKind::kLabels, labels, std::move(names), function);
  return labels;
}

Status Builder::LabelsByClient(std::string_view name, ClientHead head) const {
  ISOVEIL_ASSIGN_OR_RETURN(const SpaceId labels, Labels(name));
  // No server sees them.
  graph().Narrow(labels, Group::Trivial());
  for (const HeadLayer& layer : head.layers) LeaveOut(layer.role, "the client applies it");
  network_->client_head = std::move(head);
  return Ok();
}

void Builder::LeaveOut(std::string_view role, const std::string& why) const {
  if (Has(role)) network_->unread.emplace(Weight(role), why);
  if (HasBias(role)) network_->unread.emplace(Bias(role), why);
}

Status Builder::FixId(uint64_t id) const {
  if (id >= network_->n_vocab) {
    return Fail(ErrorCode::kFormat, "config.json: pad_token_id",
                fmt::format("expected an id below {}, found {}", network_->n_vocab, id));
  }
  Partition around{.ends = {}, .blocks = Partition::Blocks::kStay};
  if (id > 0) around.ends.push_back(id);
  around.ends.push_back(id + 1);
  if (id + 1 < network_->n_vocab) around.ends.push_back(network_->n_vocab);
  graph().Narrow(network_->vocab, Group::Keeping(std::move(around)));
  return Ok();
}

}  // namespace isoveil
