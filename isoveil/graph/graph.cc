#include "isoveil/graph/graph.h"

#include <utility>

namespace isoveil {

Axis Axis::Dual() const {
  Axis dual = *this;
  for (Segment& segment : dual.segments) segment.view = View::kDual;
  return dual;
}

SpaceId Graph::AddSpace(std::string label, uint64_t dim) {
  spaces_.push_back({.label = std::move(label), .dim = dim, .heads = std::nullopt});
  return spaces_.size() - 1;
}

SpaceId Graph::AddRotarySpace(std::string label, uint64_t dim) {
  const SpaceId space = AddSpace(std::move(label), dim);
  spaces_[space].rotary_dim = dim;
  return space;
}

void Graph::AddPort(std::string name, PortKind kind, SpaceId space, std::vector<std::string> names,
                    LabelFunction function) {
  ports_.emplace_back(Port{std::move(name), kind, spaces_[space].label, std::move(names), function}, space);
}

Ports Graph::ports() const {
  Ports ports;
  for (const auto& [port, space] : ports_) {
    ports.list.push_back(port);
    if (ports.FindSpace(port.space) == nullptr) ports.spaces.push_back(RecordOf(space));
  }
  return ports;
}

const Weight* Graph::FindWeight(std::string_view role) const {
  const auto it = by_role_.find(role);
  return it == by_role_.end() ? nullptr : &weights_[it->second];
}

const Weight& Graph::Sibling(const Weight& weight, uint64_t index) const {
  const WeightId id = by_role_.find(weight.role)->second;
  return weights_[id - weight.member->index * weight.member->stride + index * weight.member->stride];
}

const HeadSet* Graph::HeadsAlong(const Axis& axis) const {
  if (axis.copies == Copies::kOne) return nullptr;
  for (const Segment& segment : axis.segments) {
    if (spaces_[segment.space].heads) return &heads_of(spaces_[segment.space]);
  }
  return nullptr;
}

uint64_t Graph::AxisDim(const Axis& axis) const {
  uint64_t dim = 0;
  for (const Segment& segment : axis.segments) dim += spaces_[segment.space].dim;
  const HeadSet* heads = HeadsAlong(axis);
  if (heads == nullptr) return dim;
  return dim * heads->kv_heads * (axis.copies == Copies::kPerQueryHead ? heads->queries_per_kv : 1);
}

Weight& Graph::AddWeight(std::string role, std::vector<Axis> axes) {
  Weight weight;
  weight.source = role;
  weight.role = std::move(role);
  weight.axes = std::move(axes);
  for (const Axis& axis : weight.axes) weight.shape.push_back(AxisDim(axis));
  by_role_.emplace(weight.role, weights_.size());
  weights_.push_back(std::move(weight));
  return weights_.back();
}

HeadSetId Graph::AddHeads(std::string label, const AttentionShape& shape) {
  head_sets_.push_back(
      {.label = std::move(label), .kv_heads = shape.kv_heads, .queries_per_kv = shape.n_heads / shape.kv_heads});
  return head_sets_.size() - 1;
}

Axis Graph::Fixed(uint64_t dim) {
  const SpaceId space = AddSpace("public", dim);
  Narrow(space, Group::Trivial());
  return space;
}

}  // namespace isoveil
