#include "isoveil/transform/axis_actions.h"

#include <numeric>
#include <utility>
#include <vector>

namespace isoveil {
namespace {

Action InView(const Action& action, View view) {
  switch (view) {
    case View::kDirect: return action;
    case View::kDual: return action.InverseTranspose();
    case View::kPermutation: return action.PermutationPart();
  }
  return action;
}

// Moves the coordinates of a head from one pairing to the other, pair by pair.
Action Relayout(const Space& space, RopeLayout::Pairing from, RopeLayout::Pairing to) {
  std::vector<uint32_t> source(space.dim);
  std::iota(source.begin(), source.end(), 0U);
  const auto before = RopeLayout{space.dim, space.rotary_dim, from}.Pairs();
  const auto after = RopeLayout{space.dim, space.rotary_dim, to}.Pairs();
  for (size_t i = 0; i < before.size(); ++i) {
    source[after[i].first] = before[i].first;
    source[after[i].second] = before[i].second;
  }
  return Action::Permutation(std::move(source));
}

}  // namespace

Action AxisActions::Along(const Axis& axis) const {
  if (graph_.HeadsAlong(axis) != nullptr) return Heads(axis);
  std::vector<Action> parts;
  for (const Segment& segment : axis.segments) parts.push_back(InFormat(segment, Shared(segment.space)));
  return parts.size() == 1 ? parts.front() : Action::DirectSum(parts);
}

Action AxisActions::InFormat(const Segment& segment, const Action& element) const {
  const Space& space = graph_.space(segment.space);
  const Action viewed = InView(element, segment.view);
  return space.rotary_dim > 0 && source_ != target_ ? Compose(Relayout(space, source_, target_), viewed) : viewed;
}

Action AxisActions::Shared(SpaceId id) const {
  const std::lock_guard lock(mutex_);
  if (const auto it = shared_.find(id); it != shared_.end()) return it->second;
  const Space& space = graph_.space(id);
  return shared_
      .emplace(id, space.rotary_dim > 0 ? actions_.OfHeads(space, HeadSet{}, source_).front()
                                        : actions_.Of(graph_.RecordOf(id)))
      .first->second;
}

std::vector<Action> AxisActions::PlainHeads(const Segment& segment, const HeadSet& heads) const {
  const Space& space = graph_.space(segment.space);
  std::vector<Action> plain =
      space.heads ? actions_.OfHeads(space, heads, source_) : std::vector(heads.kv_heads, Shared(segment.space));
  for (Action& element : plain) element = InFormat(segment, element);
  return plain;
}

Action AxisActions::Heads(const Axis& axis) const {
  const HeadSet& heads = *graph_.HeadsAlong(axis);
  const HeadMoves moves = actions_.Moves(heads);
  std::vector<std::vector<Action>> segments;
  for (const Segment& segment : axis.segments) segments.push_back(PlainHeads(segment, heads));
  const uint64_t copies = axis.copies == Copies::kPerQueryHead ? heads.queries_per_kv : 1;

  std::vector<uint32_t> source;
  std::vector<Action> blocks;
  for (const uint32_t kv : moves.kv) {
    std::vector<Action> parts;
    for (const auto& plain : segments) parts.push_back(plain[kv]);
    const Action block = parts.size() == 1 ? parts.front() : Action::DirectSum(parts);
    for (uint64_t j = 0; j < copies; ++j) {
      const uint64_t query = copies == 1 ? 0 : moves.queries[kv][j];
      source.push_back(static_cast<uint32_t>(kv * copies + query));
      blocks.push_back(block);
    }
  }
  return Action::MovedBlocks(source, blocks);
}

}  // namespace isoveil
