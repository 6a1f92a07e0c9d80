// What a storage format allows on the axes of a weight.
#include "isoveil/graph/storage.h"

namespace isoveil {
namespace {

Group WithoutPowers() {
  return Group::Of(Move::kPermute, Move::kSign, Move::kScale, Move::kMixOnes, Move::kMix, Move::kShear, Move::kPairSign,
                   Move::kQuarterTurn, Move::kTurn, Move::kPairScale);
}

// Whole rows of blocks may change places on every axis but the last, whose coordinates are packed.
void NarrowToBlocks(const Axis& axis, bool packed, uint64_t block, Graph& graph) {
  const Group allowed = packed ? Group::BlockPermutation(block) : Group::Permutation();
  if (axis.copies == Copies::kOne) {
    graph.Narrow(axis.space, allowed);
    return;
  }
  const Space& space = graph.space(axis.space);
  HeadSet& heads = graph.head_sets()[*space.heads];
  if (packed && space.dim % block != 0) {
    // A block spans heads: single heads cannot move, whole groups only if blocks fill them.
    graph.Narrow(axis.space, Group::Trivial());
    const uint64_t per_group = axis.copies == Copies::kPerQueryHead ? heads.queries_per_kv : 1;
    heads.queries_move = false;
    if (per_group * space.dim % block != 0) heads.groups_move = false;
    return;
  }
  graph.Narrow(axis.space, allowed);
}

}  // namespace

void NarrowToUnscaled(Graph& graph) {
  for (SpaceId id = 0; id < graph.spaces().size(); ++id) graph.Narrow(id, WithoutPowers());
}

void NarrowToStorage(const Weight& weight, DType type, Graph& graph) {
  if (IsBlockFormat(type)) {
    for (size_t i = 0; i < weight.axes.size(); ++i) {
      NarrowToBlocks(weight.axes[i], i + 1 == weight.axes.size(), BlockSize(type), graph);
    }
    return;
  }
  if (type != DType::kF16) return;
  // Half floats have five exponent bits: a power of two could push a small weight into the subnormals.
  for (const Axis& axis : weight.axes) graph.Narrow(axis.space, WithoutPowers());
}

}  // namespace isoveil
