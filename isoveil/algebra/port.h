// Where the world meets a network: its inputs and outputs, and the space in which each lives, as data.
//
//   const Ports ports = graph.ports();
//   const SpaceRecord* ids = ports.SpaceOf(PortKind::kIds);         // "vocab", 32000, Perm
//   const Action action = DrawSpace(*ids, model_key);               // key/draw.h: the same on both sides
//
// Encryption writes them into the manifest, the client opens one codec for each: what moves a space is said once, by
// the network's rules.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/algebra/group.h"

namespace isoveil {

// What goes through a port.
enum class PortKind {
  kIds,       // in: numbers of a vocabulary
  kSegments,  // in: which of an input's texts an id belongs to
  kLogits,    // out: one number for each of a vocabulary
  kVectors,   // out: vectors of numbers without names
  kLabels     // out: one number for each of a classifier's labels
};

// How the model's authors read the numbers of its labels.
enum class LabelFunction {
  kSoftmax,  // one label of several
  kSigmoid,  // each label for itself
  kNone      // numbers that mean themselves
};

// What determines the element that a key draws for a space.
struct SpaceRecord {
  std::string label;  // of the key stream
  uint64_t dim = 0;
  Group group = Group::Trivial();

  bool operator==(const SpaceRecord&) const = default;
};

struct Port {
  std::string name;  // as engines call it: "input_ids", "last_hidden_state"
  PortKind kind = PortKind::kIds;
  std::string space;  // its label
  // Of a classifier's labels, in plain order; empty where they have none.
  std::vector<std::string> names = {};
  // What makes a classifier's numbers scores.
  LabelFunction function = LabelFunction::kSoftmax;

  bool operator==(const Port&) const = default;
};

// All of a network, with the spaces that they name.
struct Ports {
  std::vector<SpaceRecord> spaces;
  std::vector<Port> list;

  bool operator==(const Ports&) const = default;

  // Null if there is none.
  const SpaceRecord* FindSpace(std::string_view label) const {
    const auto it = std::find_if(spaces.begin(), spaces.end(), [&](const SpaceRecord& s) { return s.label == label; });
    return it == spaces.end() ? nullptr : &*it;
  }
  // The first port of that kind; null if there is none.
  const Port* FindPort(PortKind kind) const {
    const auto it = std::find_if(list.begin(), list.end(), [&](const Port& p) { return p.kind == kind; });
    return it == list.end() ? nullptr : &*it;
  }
  // Of the first port of that kind.
  const SpaceRecord* SpaceOf(PortKind kind) const {
    const Port* port = FindPort(kind);
    return port == nullptr ? nullptr : FindSpace(port->space);
  }
};

}  // namespace isoveil
