// Which element of its group acts on each space of a network.
//
//   const KeyActions drawn(key);                     // an encryption
//   const IdentityActions unmoved;                   // a plain conversion
//   AxisActions actions(graph, drawn, from, to);
//
// Implementations are thread-safe and give the same element at every call.
#pragma once

#include <vector>

#include "isoveil/algebra/action.h"
#include "isoveil/algebra/rope.h"
#include "isoveil/graph/graph.h"
#include "isoveil/key/model_key.h"

namespace isoveil {

// Where each head comes from: new key/value head i was kv[i], and its new query j was queries[i][j] of that head.
struct HeadMoves {
  std::vector<uint32_t> kv;
  std::vector<std::vector<uint32_t>> queries;
};

class ActionSource {
 public:
  virtual ~ActionSource() = default;

  // Of a space that occurs once along its axes.
  virtual Action Of(const SpaceRecord& space) const = 0;
  virtual HeadMoves Moves(const HeadSet& heads) const = 0;
  // Of a space that every head has its own copy of: one element for each key/value head, in the order of the plain
  // heads.
  virtual std::vector<Action> OfHeads(const Space& space, const HeadSet& heads, RopeLayout::Pairing pairing) const = 0;
};

// Draws them from a model's key, as docs/keys.md specifies. The key must outlive the object.
class KeyActions final : public ActionSource {
 public:
  explicit KeyActions(const ModelKey& key) : key_(key) {}

  Action Of(const SpaceRecord& space) const override;
  HeadMoves Moves(const HeadSet& heads) const override;
  std::vector<Action> OfHeads(const Space& space, const HeadSet& heads, RopeLayout::Pairing pairing) const override;

 private:
  const ModelKey& key_;
};

// Moves nothing.
class IdentityActions final : public ActionSource {
 public:
  Action Of(const SpaceRecord& space) const override;
  HeadMoves Moves(const HeadSet& heads) const override;
  std::vector<Action> OfHeads(const Space& space, const HeadSet& heads, RopeLayout::Pairing pairing) const override;
};

}  // namespace isoveil
