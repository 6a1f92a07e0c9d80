#include "isoveil/transform/axis_actions.h"

#include <numeric>
#include <utility>
#include <vector>

#include "isoveil/key/draw.h"

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

// Where each head comes from: new key/value head i was kv[i], and its new query j was queries[i][j] of
// that head.
struct HeadMoves {
  std::vector<uint32_t> kv;
  std::vector<std::vector<uint32_t>> queries;
};

std::vector<uint32_t> Unmoved(uint64_t n) {
  std::vector<uint32_t> source(n);
  std::iota(source.begin(), source.end(), 0U);
  return source;
}

HeadMoves DrawMoves(const HeadSet& heads, const ModelKey* key) {
  HeadMoves moves{.kv = Unmoved(heads.kv_heads),
                  .queries = std::vector(heads.kv_heads, Unmoved(heads.queries_per_kv))};
  if (key == nullptr) return moves;
  KeyStream stream = key->Stream(heads.label);
  if (heads.groups_move) moves.kv = DrawPermutation(heads.kv_heads, stream);
  if (heads.queries_move) {
    for (auto& queries : moves.queries) queries = DrawPermutation(heads.queries_per_kv, stream);
  }
  return moves;
}

// One element per key/value head, in the order of the plain heads.
std::vector<Action> DrawHeads(const Space& space, const HeadSet& heads, const ModelKey* key,
                              RopeLayout::Pairing pairing) {
  if (key == nullptr) return std::vector(heads.kv_heads, Action::Identity(space.dim));
  KeyStream stream = key->Stream(space.label);
  const RopeLayout layout{.head_dim = space.dim, .rotary_dim = space.rotary_dim, .pairing = pairing};
  std::vector<Action> drawn;
  for (uint64_t head = 0; head < heads.kv_heads; ++head) {
    drawn.push_back(space.rotary_dim > 0 ? DrawRopeHead(space.group, layout, stream)
                                         : Draw(space.group, space.dim, stream));
  }
  return drawn;
}

// Moves the coordinates of a head from one pairing to the other, pair by pair.
Action Relayout(const Space& space, RopeLayout::Pairing from, RopeLayout::Pairing to) {
  std::vector<uint32_t> source = Unmoved(space.dim);
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
  const Space& space = graph_.space(id);
  if (key_ == nullptr) return Action::Identity(space.dim);
  const std::lock_guard lock(mutex_);
  if (const auto it = shared_.find(id); it != shared_.end()) return it->second;
  return shared_.emplace(id, DrawSpace(graph_.RecordOf(id), *key_)).first->second;
}

Action AxisActions::Heads(const Axis& axis) const {
  const Space& space = graph_.space(axis.space);
  const HeadSet& heads = graph_.heads_of(space);
  const HeadMoves moves = DrawMoves(heads, key_);
  const std::vector<Action> plain = DrawHeads(space, heads, key_, source_);
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
