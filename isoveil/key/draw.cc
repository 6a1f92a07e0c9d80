#include "isoveil/key/draw.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace isoveil {
namespace {

constexpr uint64_t kMaxOddFactor = 127;

double LogUniform(double low, double high, KeyStream& stream) { return low * std::pow(high / low, stream.Unit()); }

// 2^k for k uniform in -limit .. limit.
double PowerOfTwo(int limit, KeyStream& stream) {
  const auto steps = static_cast<uint64_t>(2 * limit + 1);
  return std::ldexp(1.0, static_cast<int>(stream.Uniform(steps)) - limit);
}

double Sign(KeyStream& stream) { return stream.Uniform(2) == 0 ? 1.0 : -1.0; }

ScaleStage DrawSigns(uint64_t n, KeyStream& stream) {
  ScaleStage signs;
  for (uint64_t i = 0; i < n; ++i) signs.scale.push_back(Sign(stream));
  return signs;
}

// A Haar-distributed orthogonal n x n matrix: the Gram-Schmidt basis of Gaussian rows (Stewart 1980; a
// positive diagonal of R makes it Haar), orthogonalised twice for accuracy.
std::vector<double> DrawHaar(uint64_t n, KeyStream& stream) {
  std::vector<double> q(n * n);
  for (double& value : q) value = stream.Normal();
  for (uint64_t row = 0; row < n; ++row) {
    double* v = &q[row * n];
    for (int pass = 0; pass < 2; ++pass) {
      for (uint64_t before = 0; before < row; ++before) {
        const double* u = &q[before * n];
        const double dot = std::inner_product(v, v + n, u, 0.0);
        for (uint64_t c = 0; c < n; ++c) v[c] -= dot * u[c];
      }
    }
    const double norm = std::sqrt(std::inner_product(v, v + n, v, 0.0));
    for (uint64_t c = 0; c < n; ++c) v[c] /= norm;
  }
  return q;
}

Action DrawDense(uint64_t n, KeyStream& stream) {
  constexpr double kLimit = 2;
  const std::vector<double> left = DrawHaar(n, stream);
  std::vector<double> right = DrawHaar(n, stream);
  for (uint64_t r = 0; r < n; ++r) {
    const double s = LogUniform(1 / kLimit, kLimit, stream);
    for (uint64_t c = 0; c < n; ++c) right[r * n + c] *= s;
  }
  DenseStage dense{n, std::vector<double>(n * n, 0.0)};
  for (uint64_t r = 0; r < n; ++r) {
    for (uint64_t k = 0; k < n; ++k) {
      for (uint64_t c = 0; c < n; ++c) dense.matrices[r * n + c] += left[r * n + k] * right[k * n + c];
    }
  }
  return Action::FromStages(n, {std::move(dense)});
}

// The m 2^k <= n that covers most coordinates, m odd and at most kMaxOddFactor; the larger k of equals.
struct Cover {
  uint64_t factor = 1;
  unsigned log2_run = 0;
  uint64_t covered() const { return factor << log2_run; }
};

Cover CoverOf(uint64_t n) {
  Cover best;
  for (unsigned k = 0; (uint64_t{1} << k) <= n; ++k) {
    uint64_t m = std::min(n >> k, kMaxOddFactor);
    if (m % 2 == 0) --m;
    if (m >= 1 && (m << k) >= best.covered()) best = {m, k};
  }
  return best;
}

// On the first n of `dim` coordinates; the others stay.
std::vector<ActionStage> DrawStructured(uint64_t n, uint64_t dim, KeyStream& stream) {
  const Cover cover = CoverOf(n);
  const int rounds = cover.covered() == n ? 3 : 6;
  std::vector<ActionStage> stages;
  for (int round = 0; round < rounds; ++round) {
    ScaleStage signs = DrawSigns(n, stream);
    signs.scale.resize(dim, 1.0);
    GatherStage gather{DrawPermutation(n, stream)};
    for (uint64_t i = n; i < dim; ++i) gather.source.push_back(static_cast<uint32_t>(i));
    stages.emplace_back(std::move(signs));
    stages.emplace_back(std::move(gather));
    if (cover.log2_run > 0) stages.emplace_back(HadamardStage{cover.log2_run, cover.covered()});
    if (cover.factor > 1) {
      stages.emplace_back(
          OddFactorStage{cover.factor, uint64_t{1} << cover.log2_run, cover.covered(), DrawHaar(cover.factor, stream)});
    }
  }
  return stages;
}

// The ones direction is brought to coordinate 0, moved to the end, where the structured part leaves it alone,
// and brought back.
Action DrawFixingOnes(uint64_t dim, KeyStream& stream) {
  GatherStage first_to_end;
  for (uint64_t i = 1; i < dim; ++i) first_to_end.source.push_back(static_cast<uint32_t>(i));
  first_to_end.source.push_back(0);
  GatherStage end_to_first{{static_cast<uint32_t>(dim - 1)}};
  for (uint64_t i = 0; i + 1 < dim; ++i) end_to_first.source.push_back(static_cast<uint32_t>(i));

  std::vector<ActionStage> stages = {OnesReflectionStage{}, std::move(first_to_end)};
  if (dim > 1) {
    for (ActionStage& stage : DrawStructured(dim - 1, dim, stream)) stages.push_back(std::move(stage));
  }
  stages.emplace_back(std::move(end_to_first));
  stages.emplace_back(OnesReflectionStage{});
  return Action::FromStages(dim, std::move(stages));
}

// Blocks change places, and each is permuted inside.
std::vector<uint32_t> DrawMovedBlocks(uint64_t n, uint64_t block, uint64_t run, KeyStream& stream) {
  std::vector<uint32_t> source;
  for (const uint32_t from : DrawPermutation(n / block, stream)) {
    for (const uint32_t i : DrawPermutation(block, stream, run))
      source.push_back(static_cast<uint32_t>(from * block + i));
  }
  return source;
}

// The runs that lie whole in a cell are permuted there; a run that is cut stays.
std::vector<uint32_t> DrawInCells(uint64_t n, const std::vector<uint64_t>& ends, uint64_t run, KeyStream& stream) {
  std::vector<uint32_t> source(n);
  std::iota(source.begin(), source.end(), 0U);
  uint64_t begin = 0;
  for (const uint64_t end : ends) {
    const uint64_t first = (begin + run - 1) / run * run;
    const uint64_t n_runs = end > first ? (end - first) / run : 0;
    const std::vector<uint32_t> inside = DrawPermutation(n_runs * run, stream, run);
    for (uint64_t i = 0; i < inside.size(); ++i) source[first + i] = static_cast<uint32_t>(first + inside[i]);
    begin = end;
  }
  return source;
}

Action DrawMonomial(const Group& group, uint64_t dim, KeyStream& stream) {
  std::vector<ActionStage> stages;
  if (group.Has(Move::kPermute)) stages.emplace_back(GatherStage{DrawPermutation(group, dim, stream)});
  if (group.Has(Move::kSign)) stages.emplace_back(DrawSigns(dim, stream));
  if (group.Has(Move::kScale) || group.Has(Move::kPowerOfTwo)) {
    ScaleStage scale;
    for (uint64_t i = 0; i < dim; ++i) {
      scale.scale.push_back(group.Has(Move::kScale) ? LogUniform(0.5, 2, stream) : PowerOfTwo(2, stream));
    }
    stages.emplace_back(std::move(scale));
  }
  return Action::FromStages(dim, std::move(stages));
}

// A complex scalar; quarters have exact coordinates.
struct Scalar {
  double re;
  double im;
};

Scalar DrawScalar(const Group& group, KeyStream& stream) {
  Scalar z{1, 0};
  if (group.Has(Move::kTurn)) {
    const double angle = 2 * std::numbers::pi * stream.Unit();
    z = {std::cos(angle), std::sin(angle)};
  } else if (group.Has(Move::kQuarterTurn)) {
    constexpr Scalar kQuarters[] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    z = kQuarters[stream.Uniform(4)];
  } else if (group.Has(Move::kPairSign)) {
    z = {Sign(stream), 0};
  }
  double scale = 1;
  if (group.Has(Move::kPairScale)) {
    scale = LogUniform(0.5, 2, stream);
  } else if (group.Has(Move::kPairPowerOfTwo)) {
    scale = PowerOfTwo(1, stream);
  }
  return {z.re * scale, z.im * scale};
}

}  // namespace

std::vector<uint32_t> DrawPermutation(uint64_t n, KeyStream& stream, uint64_t granularity) {
  std::vector<uint32_t> runs(n / granularity);
  std::iota(runs.begin(), runs.end(), 0U);
  for (size_t i = runs.size(); i > 1; --i) std::swap(runs[i - 1], runs[stream.Uniform(i)]);
  if (granularity == 1) return runs;
  std::vector<uint32_t> source;
  for (const uint32_t run : runs) {
    for (uint64_t i = 0; i < granularity; ++i) source.push_back(static_cast<uint32_t>(run * granularity + i));
  }
  return source;
}

std::vector<uint32_t> DrawPermutation(const Group& group, uint64_t n, KeyStream& stream) {
  const auto& partitions = group.partitions();
  const uint64_t run = group.granularity();
  if (partitions.empty()) return DrawPermutation(n, stream, run);
  const uint64_t block = partitions.front().BlockLength();
  const bool blocks_move = partitions.size() == 1 && partitions.front().blocks == Partition::Blocks::kMove;
  return blocks_move && block > 0 && block % run == 0 ? DrawMovedBlocks(n, block, run, stream)
                                                      : DrawInCells(n, CommonRefinement(partitions), run, stream);
}

Action Draw(const Group& group, uint64_t dim, KeyStream& stream) {
  if (group.Has(Move::kMix) && group.Has(Move::kShear)) return DrawDense(dim, stream);
  if (group.Has(Move::kMix)) return Action::FromStages(dim, DrawStructured(dim, dim, stream));
  if (group.Has(Move::kMixOnes)) return DrawFixingOnes(dim, stream);
  return DrawMonomial(group, dim, stream);
}

Action DrawSpace(const SpaceRecord& space, const ModelKey& key) {
  if (space.group == Group::Trivial()) return Action::Identity(space.dim);
  KeyStream stream = key.Stream(space.label);
  return Draw(space.group, space.dim, stream);
}

Action DrawRopeHead(const Group& group, const RopeLayout& layout, KeyStream& stream) {
  const uint64_t dim = layout.head_dim;
  PairStage pairs{std::vector<uint32_t>(dim), std::vector<double>(dim, 1.0), std::vector<double>(dim, 0.0)};
  std::iota(pairs.partner.begin(), pairs.partner.end(), 0U);
  bool quarters = true;
  for (const auto& [p, q] : layout.Pairs()) {
    const Scalar z = DrawScalar(group, stream);
    pairs.partner[p] = q;
    pairs.partner[q] = p;
    pairs.a[p] = pairs.a[q] = z.re;
    pairs.b[p] = -z.im;
    pairs.b[q] = z.im;
    quarters &= z.re == 0 || z.im == 0;
  }
  std::vector<ActionStage> stages;
  if (quarters) {
    GatherStage gather;
    ScaleStage scale;
    for (uint32_t i = 0; i < dim; ++i) {
      const bool swapped = pairs.a[i] == 0;
      gather.source.push_back(swapped ? pairs.partner[i] : i);
      scale.scale.push_back(swapped ? pairs.b[i] : pairs.a[i]);
    }
    stages = {std::move(gather), std::move(scale)};
  } else {
    stages = {std::move(pairs)};
  }
  Action turned = Action::FromStages(dim, std::move(stages));
  if (layout.rotary_dim == dim) return turned;
  const Action parts[] = {Action::Identity(layout.rotary_dim), Draw(group, dim - layout.rotary_dim, stream)};
  return Compose(Action::DirectSum(parts), turned);
}

}  // namespace isoveil
