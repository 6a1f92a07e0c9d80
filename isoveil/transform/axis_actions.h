// The actions of spaces, as they act along the axes of stored weights.
//
//   const KeyActions drawn(key);
//   AxisActions actions(model.graph, drawn, Pairing::kRotateHalf, Pairing::kInterleaved);
//   Action rows = actions.Along(weight.axes[0]);
//
// There is one element per space; a segment of an axis follows it directly, dually, or by its permutation part, once or
// once per head, and segments stand side by side. Where the formats pair the coordinates of RoPE in two ways, heads are
// laid out anew. Thread-safe. The graph and the source of actions must outlive the object.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "isoveil/transform/action_source.h"

namespace isoveil {

class AxisActions {
 public:
  AxisActions(const Graph& graph, const ActionSource& actions, RopeLayout::Pairing source, RopeLayout::Pairing target)
      : graph_(graph), actions_(actions), source_(source), target_(target) {}

  // From the source's coordinates to the target's; dimension graph.AxisDim(axis).
  Action Along(const Axis& axis) const;

 private:
  // The element of a space as a segment's view of it, laid out as the target does.
  Action InFormat(const Segment& segment, const Action& element) const;
  // The element of a space that heads do not own; drawn once, because many axes follow it.
  Action Shared(SpaceId id) const;
  // A segment's element for each key/value head, in the order of the plain heads.
  std::vector<Action> PlainHeads(const Segment& segment, const HeadSet& heads) const;
  // The moves of the heads and the elements of the key/value heads, drawn for each use: dense heads of
  // all layers together would be large, and only two weights follow each.
  Action Heads(const Axis& axis) const;

  const Graph& graph_;
  const ActionSource& actions_;
  RopeLayout::Pairing source_;
  RopeLayout::Pairing target_;
  mutable std::mutex mutex_;
  mutable std::map<SpaceId, Action> shared_;
};

}  // namespace isoveil
