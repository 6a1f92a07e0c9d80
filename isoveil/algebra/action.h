// Actions: the invertible linear maps that a key applies to the spaces of a network.
//
//   Action g = Action::Permutation(source);             // out[i] = in[source[i]]
//   Action h = Compose(Action::Diagonal(d), g);         // first g, then d
//   g.Apply(panel, lanes, stride, scratch);             // panel[i * stride + lane], in place
//   Action dual = h.InverseTranspose();                 // how h acts on an axis that reads the space
//
// A weight W: X -> Y becomes g_Y W g_X^-1. Stored as {dim Y, dim X}, its axis 0 is acted on by g_Y and
// its axis 1, whose lines are rows of W, by the inverse transpose of g_X.
//
// An action is a product of simple stages (see Stage). The exact profile yields monomial actions only:
// one gather and one diagonal of signed powers of two, which moves stored elements without rounding.
// Values are immutable after construction and safe to share between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace isoveil {

// out[i] = in[source[i]]; `source` is a permutation of 0..n-1.
struct GatherStage {
  std::vector<uint32_t> source;
};

// out[i] = scale[i] * in[i]; no scale is zero.
struct ScaleStage {
  std::vector<double> scale;
};

// out[i] = a[i] * in[i] + b[i] * in[partner[i]], `partner` an involution. A complex scalar a+bi on a RoPE
// pair (p, q) is a[p] = a[q] = a, b[p] = -b, b[q] = b. A coordinate with partner[i] == i has b[i] == 0.
struct PairStage {
  std::vector<uint32_t> partner;
  std::vector<double> a;
  std::vector<double> b;
};

// Consecutive blocks of `block` coordinates, each multiplied by its own dense row-major matrix.
// matrices.size() == (n / block) * block * block.
struct DenseStage {
  uint64_t block;
  std::vector<double> matrices;
};

// The normalised Walsh-Hadamard transform of consecutive runs of 2^log2_run coordinates, acting on the
// first `covered` coordinates (a multiple of the run); the rest stay. Symmetric and its own inverse.
struct HadamardStage {
  unsigned log2_run;
  uint64_t covered;
};

// Consecutive runs of `factor * run` coordinates, seen as a factor x run matrix, multiplied from the
// left by the dense orthogonal factor x factor `matrix`; covers the first `covered` coordinates.
struct OddFactorStage {
  uint64_t factor;
  uint64_t run;
  uint64_t covered;
  std::vector<double> matrix;
};

// The reflection that swaps the all-ones direction with the first axis: I - 2 v v^T / v^T v for
// v = ones/sqrt(n) - e_0. Its own inverse. The identity for n = 1.
struct OnesReflectionStage {};

using ActionStage =
    std::variant<GatherStage, ScaleStage, PairStage, DenseStage, HadamardStage, OddFactorStage, OnesReflectionStage>;

// A monomial action in one step: out[i] = scale[i] * in[source[i]].
struct Monomial {
  std::vector<uint32_t> source;
  std::vector<double> scale;
};

class Action {
 public:
  // The action of no stages on `dim` coordinates.
  static Action Identity(uint64_t dim);
  static Action Permutation(std::vector<uint32_t> source);
  static Action Diagonal(std::vector<double> scale);
  // `stages` act in order, the first one first.
  static Action FromStages(uint64_t dim, std::vector<ActionStage> stages);
  // The actions side by side: the sum's dimension is the sum of the parts' dimensions.
  static Action DirectSum(std::span<const Action> parts);
  // Blocks of coordinates change places and each is then acted on: block i of the result is
  // blocks[i] applied to block source[i]. All blocks have the same dimension.
  static Action MovedBlocks(std::span<const uint32_t> source, std::span<const Action> blocks);

  uint64_t dim() const { return dim_; }
  std::span<const ActionStage> stages() const { return *stages_; }
  bool IsIdentity() const;

  Action Inverse() const;
  // g^-T. For an orthogonal action it equals the action itself.
  Action InverseTranspose() const;
  // First `inner`, then `outer`; both of the same dimension.
  friend Action Compose(const Action& outer, const Action& inner);

  // The action in one step if it only moves and scales coordinates.
  std::optional<Monomial> AsMonomial() const;
  // The permutation part of a monomial action, as a permutation: norm gains and gates follow it.
  // Precondition: AsMonomial().
  Action PermutationPart() const;

  // The action as a leading gather and a rest that keeps to blocks: the rest maps each consecutive run
  // of `block` coordinates into itself. A caller that wants a few output blocks only gathers their
  // inputs and applies `rest` to them with ApplyRange. block == dim when nothing smaller is closed.
  struct Split;
  Split SplitLeadingGather() const;

  // Acts in place on `panel`: coordinate i of lane l is panel[i * stride + l], l < lanes <= stride.
  // T is float or double. `scratch` is grown as needed and may be reused between calls.
  template <typename T>
  void Apply(T* panel, size_t lanes, size_t stride, std::vector<T>& scratch) const;
  // The same for the coordinates [begin, begin + count) alone, a whole number of blocks of a `rest`
  // from SplitLeadingGather; `panel` points at coordinate `begin`.
  template <typename T>
  void ApplyRange(uint64_t begin, uint64_t count, T* panel, size_t lanes, size_t stride, std::vector<T>& scratch) const;

  // What the action is, for plans: "permutation", "signed permutation", "structured orthogonal", ...
  std::string Describe() const;

 private:
  Action(uint64_t dim, std::vector<ActionStage> stages);

  uint64_t dim_;
  std::shared_ptr<const std::vector<ActionStage>> stages_;
};

struct Action::Split {
  std::vector<uint32_t> source;
  uint64_t block;
  Action rest;
};

}  // namespace isoveil
