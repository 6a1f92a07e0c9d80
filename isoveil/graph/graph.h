// A network as the symmetry theory sees it: spaces, weights whose axes are bound to spaces, and the
// operations between them.
//
//   Graph graph(Graph::Norms::kFolded);
//   const SpaceId vocab = graph.AddSpace("vocab", 32000);
//   const SpaceId residual = graph.AddSpace("residual", 4096);
//   graph.Embedding("token_embd.weight", vocab, residual);
//   const Reader x = graph.RmsNorm("output_norm.weight", residual);
//   graph.Head("output.weight", x, vocab, TiedTo("token_embd.weight"));
//   graph.space(residual).group;             // Group::Orthogonal()
//
// Stating an operation does two things: it binds the axes of the operation's weights to spaces, and it
// narrows the groups of those spaces to the actions under which the operation is equivariant. Once all
// operations are stated, any choice of one element per space is a symmetry of the whole network: every
// operation commutes with it, so their composition does. The rule and proof sketch of each operation
// stand in rules.cc; nothing else in the project knows them.
//
// A graph describes dimensions and names only and holds no data. Building it cannot fail; a graph is
// checked against a checkpoint when it is bound (bind.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "isoveil/algebra/port.h"
#include "isoveil/tensor/tensor.h"

namespace isoveil {

using SpaceId = size_t;
using HeadSetId = size_t;
using WeightId = size_t;  // in the order in which operations state them

// The heads of one attention layer: `kv_heads` groups of `queries_per_kv` query heads. Key/value heads
// change places with their whole group, and query heads inside their group.
struct HeadSet {
  std::string label;  // of the key stream, "layer.3.heads"
  uint64_t kv_heads = 1;
  uint64_t queries_per_kv = 1;
  bool groups_move = true;
  bool queries_move = true;
};

struct Space {
  std::string label;  // of the key stream: "vocab", "residual", "layer.3.ffn"
  uint64_t dim = 0;   // of one head, for a space that every head has its own copy of
  Group group = Group::General();
  std::optional<HeadSetId> heads;
  uint64_t rotary_dim = 0;  // leading coordinates of a head that RoPE turns
};

// How an axis follows the action g of its space.
enum class View {
  kDirect,       // the axis writes the space: g
  kDual,         // the axis reads the space: g^-T
  kPermutation,  // elementwise companions (norm gains, gates): the permutation part of a monomial g
};

// How often an axis repeats its segments: once, or for every head.
enum class Copies { kOne, kPerKvHead, kPerQueryHead };

// A run of coordinates along an axis.
struct Segment {
  SpaceId space = 0;
  View view = View::kDirect;

  bool operator==(const Segment&) const = default;
};

// An axis of a weight: mostly one space; spaces side by side where networks concatenate, or where a head has parts. A
// space of heads has an element for each key/value head; among the segments of a head, one without heads has the same
// element in all of them.
struct Axis {
  std::vector<Segment> segments;
  Copies copies = Copies::kOne;

  Axis(SpaceId space, View view = View::kDirect, Copies how = Copies::kOne)  // NOLINT: an axis is mostly a space
      : segments({{space, view}}), copies(how) {}
  explicit Axis(std::vector<Segment> parts, Copies how = Copies::kOne) : segments(std::move(parts)), copies(how) {}

  // The axis of what reads this one.
  Axis Dual() const;

  bool operator==(const Axis&) const = default;
};

// The place of a weight among alike ones that change places with each other, such as an expert's.
struct SetMember {
  SpaceId set = 0;      // whose coordinates they are
  uint64_t index = 0;   // this one's
  uint64_t stride = 0;  // ids from one to the next

  bool operator==(const SetMember&) const = default;
};

// One weight of the network by its canonical name, with the meaning of each of its axes (output first,
// as PyTorch stores a linear map) and how its content comes from the stored weights.
struct Weight {
  std::string role;
  Shape shape;
  std::vector<Axis> axes;

  // The weight it is read from; differs from `role` when a tied head becomes a tensor of its own.
  std::string source;
  // A norm gain that multiplies the last axis before the action; empty for none.
  std::string gain;
  // A vector v and a matrix W whose product W v is added: a norm bias moved into the next bias.
  std::string plus_matrix;
  std::string plus_vector;
  // A norm gain that divides the content: a norm bias that must stay in the norm.
  std::string divisor;
  // Set when the content is this constant, because it was folded elsewhere.
  std::optional<float> constant;
  std::optional<SetMember> member;
};

// What a linear map reads: an axis as it was written, and the norm in front of it if its gain moves into the map.
struct Reader {
  Axis axis;
  std::string gain = {};
  std::string bias = {};
};

struct AttentionShape {
  uint64_t n_heads = 1;
  uint64_t kv_heads = 1;
  uint64_t head_dim = 1;
  uint64_t rotary_dim = 0;  // 0: no RoPE
};

// The axes of an attention layer's projections.
struct AttentionAxes {
  Axis query;
  Axis key;
  Axis value;
  Reader output;
};

class Graph {
 public:
  // kFolded moves norm gains and biases into the linear maps that read them and unties a tied head;
  // kKept changes no weight's value and lets gains follow their space.
  enum class Norms { kKept, kFolded };

  explicit Graph(Norms norms) : norms_(norms) {}

  SpaceId AddSpace(std::string label, uint64_t dim);
  // A part of queries and keys that RoPE turns and all heads share: per pair a complex scalar.
  SpaceId AddRotarySpace(std::string label, uint64_t dim);

  // token id -> row of `weight` {vocab, out}.
  void Embedding(std::string weight, SpaceId vocab, SpaceId out);
  // A public number, such as a position, -> row of `weight` {n, out}; the numbers stay.
  void PublicEmbedding(std::string weight, uint64_t n, SpaceId out);
  // A public vector of `dim` numbers that no key touches (RoPE frequency factors).
  void Constant(std::string weight, uint64_t dim);
  // y = W x + b, W {out, in}; an empty `bias` is none.
  void Linear(std::string weight, std::string bias, const Reader& in, const Axis& out);
  // x / rms(x) * gain, read by linear maps only.
  Reader RmsNorm(std::string gain, SpaceId x);
  // (x - mean) / std * gain + bias, read by linear maps that have biases. Empty names for a norm without a bias, which
  // any map may read, or without a gain.
  Reader LayerNorm(std::string gain, std::string bias, SpaceId x);
  // The same in front of maps some of which have no bias: the norm keeps a bias of its own.
  Reader LayerNormWithOwnBias(std::string gain, std::string bias, SpaceId x);
  // x / rms(x) * gain, written into `x` again or added to it, as post-norm networks do.
  void KeptRmsNorm(std::string gain, SpaceId x);
  // (x - mean) / std * gain + bias likewise; an empty `bias` is none.
  void KeptLayerNorm(std::string gain, std::string bias, SpaceId x);
  // x / rms(x) * gain of queries or keys in front of RoPE. Each head by itself with one gain {head_dim} for all of
  // them, or all heads together with a gain for each coordinate.
  enum class HeadNorm { kEachHead, kAllHeads };
  void NormHeads(std::string gain, const Axis& x, HeadNorm how);
  // softmax(q k^T) v over heads; `label` prefixes the key labels ("layer.3").
  // Layers that share numbers of heads share `given`, the set of their heads, as well.
  AttentionAxes Attention(const std::string& label, const AttentionShape& shape,
                          std::optional<HeadSetId> given = std::nullopt);
  HeadSetId AddHeads(std::string label, const AttentionShape& shape);
  // A number for each query head, added to its scores, in `n` rows that stay: {n, n_heads}.
  void PerHead(std::string weight, uint64_t n, HeadSetId heads);
  // What an engine adds to scores differs from head to head (ALiBi).
  void FixHeads(const AttentionAxes& attention);
  // act(x) elementwise for GELU, SiLU, sigmoid and others without a symmetry of their own.
  void Elementwise(SpaceId x);
  // f(x) elementwise with f(-x) = -f(x), such as tanh or a clamp.
  void OddElementwise(SpaceId x);
  // f(x) elementwise with f(c x) = c f(x) for c > 0, such as ReLU.
  void PositiveElementwise(SpaceId x);
  // act(a) * b elementwise, a and b in `x`: returns the axis of a and the axis of b.
  struct GatedAxes {
    Axis gate;
    Axis value;
  };
  GatedAxes GatedProduct(SpaceId x);
  // What chooses among `x`: softmax or sigmoid, the largest, their sum.
  void Router(SpaceId x);
  // The weights stated from `first` on belong, in equal runs, to the coordinates of `set`.
  void Members(SpaceId set, WeightId first);
  // logits = W x + b, W {vocab, in}; an empty `bias` is none. With `tied_to`, W is that embedding unless norms are
  // folded.
  void Head(const std::string& weight, std::string bias, const Reader& in, SpaceId vocab,
            std::optional<std::string> tied_to);

  // The world reads or writes `space` there; its name is what engines call it.
  // `names` are those of labels.
  void AddPort(std::string name, PortKind kind, SpaceId space, std::vector<std::string> names = {},
               LabelFunction function = LabelFunction::kSoftmax);

  // Takes moves away from a space: a rule, a profile or a storage format.
  void Narrow(SpaceId space, const Group& group) { spaces_[space].group = Meet(spaces_[space].group, group); }

  Norms norms() const { return norms_; }
  const std::vector<Space>& spaces() const { return spaces_; }
  const Space& space(SpaceId id) const { return spaces_[id]; }
  std::vector<HeadSet>& head_sets() { return head_sets_; }
  const std::vector<HeadSet>& head_sets() const { return head_sets_; }
  const HeadSet& heads_of(const Space& space) const { return head_sets_[*space.heads]; }
  const std::vector<Weight>& weights() const { return weights_; }
  SpaceRecord RecordOf(SpaceId id) const { return {spaces_[id].label, spaces_[id].dim, spaces_[id].group}; }
  // With the groups as they are narrowed by now.
  Ports ports() const;
  // Null if no operation has it; constant time.
  const Weight* FindWeight(std::string_view role) const;
  // What `weight` is for another coordinate of its set.
  const Weight& Sibling(const Weight& weight, uint64_t index) const;
  // The heads along an axis; null if it has none.
  const HeadSet* HeadsAlong(const Axis& axis) const;
  // Coordinates along an axis: the dimensions of its segments times its copies.
  uint64_t AxisDim(const Axis& axis) const;

 private:
  Weight& AddWeight(std::string role, std::vector<Axis> axes);
  Axis Fixed(uint64_t dim);

  Norms norms_;
  std::vector<Space> spaces_;
  std::vector<HeadSet> head_sets_;
  std::vector<Weight> weights_;
  std::vector<std::pair<Port, SpaceId>> ports_;
  struct HashRole : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, WeightId, HashRole, std::equal_to<>> by_role_;
};

}  // namespace isoveil
