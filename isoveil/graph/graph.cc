#include "isoveil/graph/graph.h"

#include <utility>

namespace isoveil {

SpaceId Graph::AddSpace(std::string label, uint64_t dim) {
  spaces_.push_back({.label = std::move(label), .dim = dim, .heads = std::nullopt});
  return spaces_.size() - 1;
}

void Graph::AddPort(std::string name, PortKind kind, SpaceId space) {
  ports_.emplace_back(Port{std::move(name), kind, spaces_[space].label}, space);
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

uint64_t Graph::AxisDim(const Axis& axis) const {
  const Space& space = spaces_[axis.space];
  switch (axis.copies) {
    case Copies::kOne: return space.dim;
    case Copies::kPerKvHead: return space.dim * heads_of(space).kv_heads;
    case Copies::kPerQueryHead: return space.dim * heads_of(space).kv_heads * heads_of(space).queries_per_kv;
  }
  return 0;
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

Axis Graph::Fixed(uint64_t dim) {
  const SpaceId space = AddSpace("public", dim);
  Narrow(space, Group::Trivial());
  return {space};
}

}  // namespace isoveil
