#include "isoveil/transform/action_source.h"

#include <numeric>

#include "isoveil/key/draw.h"

namespace isoveil {
namespace {

std::vector<uint32_t> Unmoved(uint64_t n) {
  std::vector<uint32_t> source(n);
  std::iota(source.begin(), source.end(), 0U);
  return source;
}

}  // namespace

Action KeyActions::Of(const SpaceRecord& space) const { return DrawSpace(space, key_); }

HeadMoves KeyActions::Moves(const HeadSet& heads) const {
  HeadMoves moves = IdentityActions().Moves(heads);
  KeyStream stream = key_.Stream(heads.label);
  if (heads.groups_move) moves.kv = DrawPermutation(heads.kv_heads, stream);
  if (heads.queries_move) {
    for (auto& queries : moves.queries) queries = DrawPermutation(heads.queries_per_kv, stream);
  }
  return moves;
}

std::vector<Action> KeyActions::OfHeads(const Space& space, const HeadSet& heads, RopeLayout::Pairing pairing) const {
  KeyStream stream = key_.Stream(space.label);
  const RopeLayout layout{.head_dim = space.dim, .rotary_dim = space.rotary_dim, .pairing = pairing};
  std::vector<Action> drawn;
  for (uint64_t head = 0; head < heads.kv_heads; ++head) {
    drawn.push_back(space.rotary_dim > 0 ? DrawRopeHead(space.group, layout, stream)
                                         : Draw(space.group, space.dim, stream));
  }
  return drawn;
}

Action IdentityActions::Of(const SpaceRecord& space) const { return Action::Identity(space.dim); }

HeadMoves IdentityActions::Moves(const HeadSet& heads) const {
  return {.kv = Unmoved(heads.kv_heads), .queries = std::vector(heads.kv_heads, Unmoved(heads.queries_per_kv))};
}

std::vector<Action> IdentityActions::OfHeads(const Space& space, const HeadSet& heads, RopeLayout::Pairing) const {
  return std::vector(heads.kv_heads, Action::Identity(space.dim));
}

}  // namespace isoveil
