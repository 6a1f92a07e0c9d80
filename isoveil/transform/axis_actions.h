// The actions that a key draws, as they act along the axes of stored weights.
//
//   AxisActions actions(model.graph, &key, Pairing::kRotateHalf, Pairing::kInterleaved);
//   Action rows = actions.Along(weight.axes[0]);
//
// One element is drawn per space from the key stream of the space's label (docs/keys.md); an axis follows
// it directly, dually, or by its permutation part, once or once per head. Without a key every action is
// the identity, and only the relayout between formats remains: a plain conversion.
// Thread-safe. The graph and the key must outlive the object.
#pragma once

#include <map>
#include <mutex>

#include "isoveil/algebra/action.h"
#include "isoveil/algebra/rope.h"
#include "isoveil/key/model_key.h"
#include "isoveil/model/graph.h"

namespace isoveil {

class AxisActions {
 public:
  AxisActions(const Graph& graph, const ModelKey* key, RopeLayout::Pairing source, RopeLayout::Pairing target)
      : graph_(graph), key_(key), source_(source), target_(target) {}

  // From the source's coordinates to the target's; dimension graph.AxisDim(axis).
  Action Along(const Axis& axis) const;

 private:
  // The element of a space that occurs once along its axes; drawn once, because many axes follow it.
  Action Shared(SpaceId space) const;
  // The moves of the heads and the elements of the key/value heads, drawn for each use: dense heads of
  // all layers together would be large, and only two weights follow each.
  Action Heads(const Axis& axis) const;

  const Graph& graph_;
  const ModelKey* key_;
  RopeLayout::Pairing source_;
  RopeLayout::Pairing target_;
  mutable std::mutex mutex_;
  mutable std::map<SpaceId, Action> shared_;
};

}  // namespace isoveil
