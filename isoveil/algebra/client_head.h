// A small head above an encoder that the client applies itself, in plaintext: where an engine's file format has no
// place for it or its engine computes it otherwise. Labels and their scores then never exist on the server.
//
//   ClientHead head{.input = "last_hidden_state", .layers = {{"pooler", HeadFunction::kTanh}, {"classifier"}}};
//
// It reads the vector of a text's first token, as a server's "cls" pooling gives it.
#pragma once

#include <string>
#include <vector>

namespace isoveil {

// What follows a dense layer, in each coordinate.
enum class HeadFunction { kNone, kTanh, kRelu, kGelu };

struct HeadLayer {
  std::string role;  // of its weight, and of its bias where it has one
  HeadFunction function = HeadFunction::kNone;

  bool operator==(const HeadLayer&) const = default;
};

struct ClientHead {
  std::string input;  // the port of vectors that it reads
  std::vector<HeadLayer> layers;

  bool operator==(const ClientHead&) const = default;
};

}  // namespace isoveil
