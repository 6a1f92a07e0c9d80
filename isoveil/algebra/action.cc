#include "isoveil/algebra/action.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace isoveil {
namespace {

using Stages = std::vector<ActionStage>;

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

std::vector<uint32_t> Iota(uint64_t n) {
  std::vector<uint32_t> source(n);
  std::iota(source.begin(), source.end(), 0U);
  return source;
}

bool IsIdentityGather(const GatherStage& stage) {
  for (size_t i = 0; i < stage.source.size(); ++i) {
    if (stage.source[i] != i) return false;
  }
  return true;
}

bool IsIdentityScale(const ScaleStage& stage) {
  return std::all_of(stage.scale.begin(), stage.scale.end(), [](double s) { return s == 1.0; });
}

GatherStage After(const GatherStage& outer, const GatherStage& inner) {
  GatherStage both;
  for (const uint32_t i : outer.source) both.source.push_back(inner.source[i]);
  return both;
}

void PushScale(Stages& stages, ScaleStage scale) {
  if (!stages.empty()) {
    if (auto* last = std::get_if<ScaleStage>(&stages.back())) {
      for (size_t i = 0; i < scale.scale.size(); ++i) scale.scale[i] *= last->scale[i];
      stages.pop_back();
    }
  }
  if (!IsIdentityScale(scale)) stages.emplace_back(std::move(scale));
}

// A gather moves in front of a diagonal, which it permutes, and merges with the gather before it: a
// monomial product thus always ends as one gather and one diagonal.
void PushGather(Stages& stages, GatherStage gather) {
  if (!stages.empty()) {
    if (auto* last = std::get_if<ScaleStage>(&stages.back())) {
      ScaleStage moved;
      for (const uint32_t i : gather.source) moved.scale.push_back(last->scale[i]);
      stages.pop_back();
      PushGather(stages, std::move(gather));
      PushScale(stages, std::move(moved));
      return;
    }
    if (auto* last = std::get_if<GatherStage>(&stages.back())) {
      gather = After(gather, *last);
      stages.pop_back();
    }
  }
  if (!IsIdentityGather(gather)) stages.emplace_back(std::move(gather));
}

void Push(Stages& stages, ActionStage stage) {
  if (auto* gather = std::get_if<GatherStage>(&stage)) {
    PushGather(stages, std::move(*gather));
  } else if (auto* scale = std::get_if<ScaleStage>(&stage)) {
    PushScale(stages, std::move(*scale));
  } else {
    stages.push_back(std::move(stage));
  }
}

Stages Normalised(Stages stages) {
  Stages out;
  for (ActionStage& stage : stages) Push(out, std::move(stage));
  return out;
}

GatherStage InverseOf(const GatherStage& stage) {
  GatherStage inverse{std::vector<uint32_t>(stage.source.size())};
  for (uint32_t i = 0; i < stage.source.size(); ++i) inverse.source[stage.source[i]] = i;
  return inverse;
}

ScaleStage InverseOf(const ScaleStage& stage) {
  ScaleStage inverse;
  for (const double s : stage.scale) inverse.scale.push_back(1 / s);
  return inverse;
}

// Each pair is a 2 x 2 matrix [a_p b_p; b_q a_q].
PairStage InverseOf(const PairStage& stage, bool transposed) {
  PairStage inverse = stage;
  for (uint32_t p = 0; p < stage.partner.size(); ++p) {
    const uint32_t q = stage.partner[p];
    if (q == p) {
      inverse.a[p] = 1 / stage.a[p];
      continue;
    }
    const double det = stage.a[p] * stage.a[q] - stage.b[p] * stage.b[q];
    inverse.a[p] = stage.a[q] / det;
    inverse.b[p] = -(transposed ? stage.b[q] : stage.b[p]) / det;
  }
  return inverse;
}

// Gauss-Jordan elimination with partial pivoting; `m` is row-major n x n.
std::vector<double> InverseMatrix(std::vector<double> m, size_t n) {
  std::vector<double> inverse(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) inverse[i * n + i] = 1;
  for (size_t col = 0; col < n; ++col) {
    size_t pivot = col;
    for (size_t r = col + 1; r < n; ++r) {
      if (std::abs(m[r * n + col]) > std::abs(m[pivot * n + col])) pivot = r;
    }
    std::swap_ranges(&m[col * n], &m[col * n] + n, &m[pivot * n]);
    std::swap_ranges(&inverse[col * n], &inverse[col * n] + n, &inverse[pivot * n]);
    const double scale = 1 / m[col * n + col];
    for (size_t c = 0; c < n; ++c) {
      m[col * n + c] *= scale;
      inverse[col * n + c] *= scale;
    }
    for (size_t r = 0; r < n; ++r) {
      const double factor = m[r * n + col];
      if (r == col || factor == 0) continue;
      for (size_t c = 0; c < n; ++c) {
        m[r * n + c] -= factor * m[col * n + c];
        inverse[r * n + c] -= factor * inverse[col * n + c];
      }
    }
  }
  return inverse;
}

std::vector<double> Transposed(const std::vector<double>& m, size_t n) {
  std::vector<double> t(n * n);
  for (size_t r = 0; r < n; ++r) {
    for (size_t c = 0; c < n; ++c) t[c * n + r] = m[r * n + c];
  }
  return t;
}

DenseStage InverseOf(const DenseStage& stage, bool transposed) {
  DenseStage inverse{stage.block, {}};
  const size_t size = stage.block * stage.block;
  for (size_t begin = 0; begin < stage.matrices.size(); begin += size) {
    std::vector<double> m(stage.matrices.begin() + static_cast<ptrdiff_t>(begin),
                          stage.matrices.begin() + static_cast<ptrdiff_t>(begin + size));
    m = InverseMatrix(std::move(m), stage.block);
    if (transposed) m = Transposed(m, stage.block);
    inverse.matrices.insert(inverse.matrices.end(), m.begin(), m.end());
  }
  return inverse;
}

ActionStage InverseStage(const ActionStage& stage) {
  return std::visit(Overloaded{[](const GatherStage& s) -> ActionStage { return InverseOf(s); },
                               [](const ScaleStage& s) -> ActionStage { return InverseOf(s); },
                               [](const PairStage& s) -> ActionStage { return InverseOf(s, false); },
                               [](const DenseStage& s) -> ActionStage { return InverseOf(s, false); },
                               [](const HadamardStage& s) -> ActionStage { return s; },
                               [](const OddFactorStage& s) -> ActionStage {
                                 return OddFactorStage{s.factor, s.run, s.covered, Transposed(s.matrix, s.factor)};
                               },
                               [](const OnesReflectionStage& s) -> ActionStage { return s; }},
                    stage);
}

// Orthogonal stages are their own inverse transposes.
ActionStage InverseTransposeStage(const ActionStage& stage) {
  return std::visit(Overloaded{[](const ScaleStage& s) -> ActionStage { return InverseOf(s); },
                               [](const PairStage& s) -> ActionStage { return InverseOf(s, true); },
                               [](const DenseStage& s) -> ActionStage { return InverseOf(s, true); },
                               [](const auto& s) -> ActionStage { return s; }},
                    stage);
}

// The smallest divisor b of dim such that partner(i) lies in the block of b coordinates that holds i.
template <typename Partner>
uint64_t SmallestBlock(uint64_t dim, const Partner& partner) {
  for (uint64_t block = 1; block < dim; ++block) {
    if (dim % block != 0) continue;
    bool closed = true;
    for (uint64_t i = 0; i < dim && closed; ++i) closed = i / block == partner(i) / block;
    if (closed) return block;
  }
  return dim;
}

uint64_t BlockOf(const ActionStage& stage, uint64_t dim) {
  const auto runs = [&](uint64_t run) { return dim % run == 0 ? run : dim; };
  return std::visit(
      Overloaded{[&](const GatherStage& s) { return SmallestBlock(dim, [&](uint64_t i) { return s.source[i]; }); },
                 [](const ScaleStage&) { return uint64_t{1}; },
                 [&](const PairStage& s) { return SmallestBlock(dim, [&](uint64_t i) { return s.partner[i]; }); },
                 [](const DenseStage& s) { return s.block; },
                 [&](const HadamardStage& s) { return runs(uint64_t{1} << s.log2_run); },
                 [&](const OddFactorStage& s) { return runs(s.factor * s.run); },
                 [&](const OnesReflectionStage&) { return dim; }},
      stage);
}

bool SameShape(std::span<const Action> parts) {
  const auto first = parts.front().stages();
  return std::all_of(parts.begin(), parts.end(), [&](const Action& part) {
    if (part.stages().size() != first.size()) return false;
    for (size_t i = 0; i < first.size(); ++i) {
      const ActionStage& stage = part.stages()[i];
      if (stage.index() != first[i].index()) return false;
      const auto* dense = std::get_if<DenseStage>(&stage);
      if (dense != nullptr && dense->block != std::get<DenseStage>(first[i]).block) return false;
      // The remaining kinds act on a prefix or on the whole and cannot be put side by side.
      if (stage.index() > 3) return false;
    }
    return true;
  });
}

// Stage `i` of all parts as one stage.
ActionStage SideBySide(std::span<const Action> parts, size_t i) {
  ActionStage sum = parts.front().stages()[i];
  uint64_t offset = parts.front().dim();
  for (const Action& part : parts.subspan(1)) {
    const ActionStage& stage = part.stages()[i];
    const auto shift = [&](std::vector<uint32_t>& to, const std::vector<uint32_t>& from) {
      for (const uint32_t index : from) to.push_back(static_cast<uint32_t>(index + offset));
    };
    const auto append = [](std::vector<double>& to, const std::vector<double>& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    if (auto* gather = std::get_if<GatherStage>(&sum)) shift(gather->source, std::get<GatherStage>(stage).source);
    if (auto* scale = std::get_if<ScaleStage>(&sum)) append(scale->scale, std::get<ScaleStage>(stage).scale);
    if (auto* dense = std::get_if<DenseStage>(&sum)) append(dense->matrices, std::get<DenseStage>(stage).matrices);
    if (auto* pair = std::get_if<PairStage>(&sum)) {
      shift(pair->partner, std::get<PairStage>(stage).partner);
      append(pair->a, std::get<PairStage>(stage).a);
      append(pair->b, std::get<PairStage>(stage).b);
    }
    offset += part.dim();
  }
  return sum;
}

// The matrix of an action, row-major.
std::vector<double> MatrixOf(const Action& action) {
  const size_t n = action.dim();
  std::vector<double> m(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) m[i * n + i] = 1;
  std::vector<double> scratch;
  action.Apply(m.data(), n, n, scratch);
  return m;
}

// Any parts of one dimension, as dense blocks; of several dimensions, as one dense block.
Action DenseSum(std::span<const Action> parts, uint64_t dim) {
  const uint64_t block = parts.front().dim();
  const bool alike = std::all_of(parts.begin(), parts.end(), [&](const Action& p) { return p.dim() == block; });
  if (alike) {
    DenseStage dense{block, {}};
    for (const Action& part : parts) {
      const std::vector<double> m = MatrixOf(part);
      dense.matrices.insert(dense.matrices.end(), m.begin(), m.end());
    }
    return Action::FromStages(dim, {std::move(dense)});
  }
  DenseStage whole{dim, std::vector<double>(dim * dim, 0.0)};
  uint64_t offset = 0;
  for (const Action& part : parts) {
    const std::vector<double> m = MatrixOf(part);
    for (uint64_t r = 0; r < part.dim(); ++r) {
      std::copy_n(&m[r * part.dim()], part.dim(), &whole.matrices[(offset + r) * dim + offset]);
    }
    offset += part.dim();
  }
  return Action::FromStages(dim, {std::move(whole)});
}

std::optional<Action> MonomialSum(std::span<const Action> parts) {
  GatherStage gather;
  ScaleStage scale;
  for (const Action& part : parts) {
    const std::optional<Monomial> monomial = part.AsMonomial();
    if (!monomial) return std::nullopt;
    const auto offset = static_cast<uint32_t>(gather.source.size());
    for (const uint32_t i : monomial->source) gather.source.push_back(offset + i);
    scale.scale.insert(scale.scale.end(), monomial->scale.begin(), monomial->scale.end());
  }
  const uint64_t dim = gather.source.size();
  return Action::FromStages(dim, {std::move(gather), std::move(scale)});
}

}  // namespace

Action::Action(uint64_t dim, std::vector<ActionStage> stages)
    : dim_(dim), stages_(std::make_shared<const std::vector<ActionStage>>(std::move(stages))) {}

Action Action::Identity(uint64_t dim) { return {dim, {}}; }

Action Action::Permutation(std::vector<uint32_t> source) {
  const uint64_t dim = source.size();
  return FromStages(dim, {GatherStage{std::move(source)}});
}

Action Action::Diagonal(std::vector<double> scale) {
  const uint64_t dim = scale.size();
  return FromStages(dim, {ScaleStage{std::move(scale)}});
}

Action Action::FromStages(uint64_t dim, std::vector<ActionStage> stages) {
  return {dim, Normalised(std::move(stages))};
}

Action Action::DirectSum(std::span<const Action> parts) {
  uint64_t dim = 0;
  for (const Action& part : parts) dim += part.dim();
  if (parts.empty()) return Identity(0);
  if (std::optional<Action> monomial = MonomialSum(parts)) return *std::move(monomial);
  if (!SameShape(parts)) return DenseSum(parts, dim);
  std::vector<ActionStage> stages;
  for (size_t i = 0; i < parts.front().stages().size(); ++i) stages.push_back(SideBySide(parts, i));
  return FromStages(dim, std::move(stages));
}

Action Action::MovedBlocks(std::span<const uint32_t> source, std::span<const Action> blocks) {
  const uint64_t block = blocks.front().dim();
  GatherStage gather;
  for (const uint32_t from : source) {
    for (uint64_t i = 0; i < block; ++i) gather.source.push_back(static_cast<uint32_t>(from * block + i));
  }
  const uint64_t dim = gather.source.size();
  return Compose(DirectSum(blocks), FromStages(dim, {std::move(gather)}));
}

bool Action::IsIdentity() const { return stages_->empty(); }

Action Action::Inverse() const {
  std::vector<ActionStage> stages;
  for (auto it = stages_->rbegin(); it != stages_->rend(); ++it) stages.push_back(InverseStage(*it));
  return FromStages(dim_, std::move(stages));
}

Action Action::InverseTranspose() const {
  std::vector<ActionStage> stages;
  for (const ActionStage& stage : *stages_) stages.push_back(InverseTransposeStage(stage));
  return FromStages(dim_, std::move(stages));
}

Action Compose(const Action& outer, const Action& inner) {
  std::vector<ActionStage> stages(inner.stages().begin(), inner.stages().end());
  stages.insert(stages.end(), outer.stages().begin(), outer.stages().end());
  return Action::FromStages(inner.dim(), std::move(stages));
}

std::optional<Monomial> Action::AsMonomial() const {
  Monomial monomial{Iota(dim_), std::vector<double>(dim_, 1.0)};
  for (const ActionStage& stage : *stages_) {
    if (const auto* gather = std::get_if<GatherStage>(&stage)) {
      monomial.source = gather->source;
    } else if (const auto* scale = std::get_if<ScaleStage>(&stage)) {
      monomial.scale = scale->scale;
    } else {
      return std::nullopt;
    }
  }
  return monomial;
}

Action Action::PermutationPart() const {
  std::optional<Monomial> monomial = AsMonomial();
  return Permutation(monomial ? std::move(monomial->source) : Iota(dim_));
}

Action::Split Action::SplitLeadingGather() const {
  std::vector<ActionStage> rest(stages_->begin(), stages_->end());
  std::vector<uint32_t> source = Iota(dim_);
  if (!rest.empty()) {
    if (auto* gather = std::get_if<GatherStage>(&rest.front())) {
      source = std::move(gather->source);
      rest.erase(rest.begin());
    }
  }
  uint64_t block = 1;
  for (const ActionStage& stage : rest) block = std::min(std::lcm(block, BlockOf(stage, dim_)), dim_);
  // Stages with different blocks keep to a common multiple only if that fills the space.
  if (dim_ % block != 0) block = dim_;
  return {std::move(source), block, Action(dim_, std::move(rest))};
}

std::string Action::Describe() const {
  if (IsIdentity()) return "identity";
  if (const std::optional<Monomial> monomial = AsMonomial()) {
    bool signs = false;
    bool scales = false;
    for (const double s : monomial->scale) {
      signs |= s < 0;
      scales |= std::abs(s) != 1.0;
    }
    std::string text = signs ? "signed permutation" : "permutation";
    return scales ? text + " with scales" : text;
  }
  for (const ActionStage& stage : *stages_) {
    if (std::holds_alternative<OnesReflectionStage>(stage)) return "structured orthogonal that fixes ones";
    if (std::holds_alternative<HadamardStage>(stage)) return "structured orthogonal";
    if (std::holds_alternative<DenseStage>(stage)) return "dense blocks";
  }
  return "complex scalars of RoPE pairs";
}

}  // namespace isoveil
