// What a storage format allows on the axes of a weight.
#include "isoveil/graph/storage.h"

namespace isoveil {
namespace {

Group WithoutPowers() {
  return Group::Of(Move::kPermute, Move::kSign, Move::kScale, Move::kMixOnes, Move::kMix, Move::kShear, Move::kPairSign,
                   Move::kQuarterTurn, Move::kTurn, Move::kPairScale);
}

// A block spans heads: single heads cannot move, whole groups only if blocks fill them.
void HoldHeadsTogether(const Axis& axis, uint64_t head_dim, uint64_t block, Graph& graph) {
  uint64_t per_group = head_dim;
  for (const Segment& segment : axis.segments) {
    graph.Narrow(segment.space, Group::Trivial());
    if (!graph.space(segment.space).heads) continue;
    HeadSet& heads = graph.head_sets()[*graph.space(segment.space).heads];
    if (axis.copies == Copies::kPerQueryHead) per_group = heads.queries_per_kv * head_dim;
    heads.queries_move = false;
    if (per_group % block != 0) heads.groups_move = false;
  }
}

// Whole rows of blocks may change places on every axis but the last, whose coordinates are packed.
void NarrowToBlocks(const Axis& axis, bool packed, uint64_t block, Graph& graph) {
  uint64_t dim = 0;  // of one copy
  for (const Segment& segment : axis.segments) dim += graph.space(segment.space).dim;
  if (packed && axis.copies != Copies::kOne && dim % block != 0) {
    HoldHeadsTogether(axis, dim, block, graph);
    return;
  }
  uint64_t begin = 0;
  for (const Segment& segment : axis.segments) {
    const uint64_t end = begin + graph.space(segment.space).dim;
    // A block that two segments share holds both.
    const bool whole = axis.segments.size() == 1 || (begin % block == 0 && end % block == 0);
    graph.Narrow(segment.space, !packed  ? Group::Permutation()
                                : !whole ? Group::Trivial()
                                         : Group::BlockPermutation(block));
    begin = end;
  }
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
  for (const Axis& axis : weight.axes) {
    for (const Segment& segment : axis.segments) graph.Narrow(segment.space, WithoutPowers());
  }
}

}  // namespace isoveil
