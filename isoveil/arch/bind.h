// Binds a checkpoint to its family's graph: every stored tensor finds its weights, every weight
// its stored bytes, and the groups are narrowed to what profile and storage allow.
//
//   ISOVEIL_ASSIGN_OR_RETURN(BoundModel model, Bind(checkpoint, {.profile = Profile::kExact}));
//   for (const Weight& w : model.graph.weights()) Use(w, model.slices.at(w.source));
//
// Refuses, by name, whatever the family does not declare: a tensor that no rule covers would
// otherwise be published in plaintext.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "isoveil/arch/family.h"
#include "isoveil/tensor/slice.h"

namespace isoveil {

// Where each weight of `roles`, in the same order, lies in a tensor of type `type` that holds them as `stored` says.
// Also gives the tensor's shape. A block format cannot be transposed: kUnsupported.
struct TensorLayout {
  Shape shape;
  std::vector<Slice> slices;
};
Result<TensorLayout> LayOutTensor(const StoredTensor& stored, const Graph& graph, std::span<const Weight* const> roles,
                                  DType type);

// The stored tensor that holds a weight of the network, with all that it holds: of stacked experts every one's.
StoredTensor FindStored(const Dialect& dialect, const Graph& graph, std::string_view role);

struct BindOptions {
  Profile profile = Profile::kExact;
  // Block formats are decoded and quantised again, so that profile kRotated may mix their columns.
  bool requantize = false;
  // Profile kExact scales by powers of two, which fails on weights at the edge of their exponent's range.
  bool powers_of_two = true;
  // Heads above an encoder stay with the client, as the target's engines have no place for them.
  bool heads_stay = false;
};

// A stored tensor and the weights in it; none for a tensor that is dropped.
struct BoundTensor {
  const TensorView* tensor;
  StoredTensor stored;  // with the tensor's actual name
  std::string dropped;  // why it is not written again; empty for a tensor with weights
};

// A weight's bytes in the source.
struct BoundSlice {
  const TensorView* tensor = nullptr;
  Slice slice;
};

struct BoundModel {
  const Family* family;
  ConfigReader config;  // with what the declaration read
  FormatKind format;
  Profile profile;
  Graph graph;
  uint64_t n_vocab = 0;  // rows of the embedding, unused ones included
  bool tied_head = false;
  bool requantize = false;                                // as asked for
  std::vector<BoundTensor> tensors;                       // in the order of the files
  std::map<std::string, BoundSlice, std::less<>> slices;  // by role, every stored weight
  std::optional<ClientHead> client_head;
};

// The checkpoint must outlive the model. Errors name the tensor, what was expected and found.
Result<BoundModel> Bind(const Checkpoint& checkpoint, const BindOptions& options);

}  // namespace isoveil
