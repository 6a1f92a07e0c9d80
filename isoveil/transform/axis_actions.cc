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
  return axis.copies == Copies::kOne ? InView(Shared(axis.space), axis.view) : Heads(axis);
}

Action AxisActions::Shared(SpaceId id) const {
  const std::lock_guard lock(mutex_);
  if (const auto it = shared_.find(id); it != shared_.end()) return it->second;
  return shared_.emplace(id, actions_.Of(graph_.RecordOf(id))).first->second;
}

Action AxisActions::Heads(const Axis& axis) const {
  const Space& space = graph_.space(axis.space);
  const HeadSet& heads = graph_.heads_of(space);
  const HeadMoves moves = actions_.Moves(heads);
  const std::vector<Action> plain = actions_.OfHeads(space, heads, source_);
  const uint64_t copies = axis.copies == Copies::kPerQueryHead ? heads.queries_per_kv : 1;

  std::vector<uint32_t> source;
  std::vector<Action> blocks;
  for (uint64_t i = 0; i < heads.kv_heads; ++i) {
    Action block = InView(plain[moves.kv[i]], axis.view);
    if (space.rotary_dim > 0 && source_ != target_) block = Compose(Relayout(space, source_, target_), block);
    for (uint64_t j = 0; j < copies; ++j) {
      const uint64_t query = copies == 1 ? 0 : moves.queries[moves.kv[i]][j];
      source.push_back(static_cast<uint32_t>(moves.kv[i] * copies + query));
      blocks.push_back(block);
    }
  }
  return Action::MovedBlocks(source, blocks);
}

}  // namespace isoveil
