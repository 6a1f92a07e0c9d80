#include "isoveil/key/draw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>

namespace isoveil {
namespace {

KeyStream Stream(uint64_t seed = 0) {
  SecretBytes key = SecretBytes::Allocate(32).value();
  for (size_t i = 0; i < 8; ++i) key.InsecureMutableBytes()[i] = static_cast<std::byte>(seed >> (8 * i));
  return KeyStream(std::move(key));
}

Action DrawWith(const Group& group, uint64_t dim, uint64_t seed = 0) {
  KeyStream stream = Stream(seed);
  return Draw(group, dim, stream);
}

// Row-major; the panel of the identity becomes the matrix of the action.
std::vector<double> Matrix(const Action& action) {
  const size_t n = action.dim();
  std::vector<double> m(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) m[i * n + i] = 1;
  std::vector<double> scratch;
  action.Apply(m.data(), n, n, scratch);
  return m;
}

// The largest entry of |A^T A - I|.
double FarFromOrthogonal(const Action& action) {
  const size_t n = action.dim();
  const std::vector<double> m = Matrix(action);
  double far = 0;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double dot = i == j ? -1 : 0;
      for (size_t k = 0; k < n; ++k) dot += m[k * n + i] * m[k * n + j];
      far = std::max(far, std::abs(dot));
    }
  }
  return far;
}

bool IsPermutation(std::vector<uint32_t> source) {
  std::ranges::sort(source);
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != i) return false;
  }
  return true;
}

bool IsPowerOfTwo(double value, int limit) {
  int exponent = 0;
  return std::frexp(std::abs(value), &exponent) == 0.5 && std::abs(exponent - 1) <= limit;
}

double ChiSquare(const std::vector<uint64_t>& counts) {
  const double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), uint64_t{0}));
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0;
  for (const uint64_t count : counts) sum += std::pow(static_cast<double>(count) - expected, 2) / expected;
  return sum;
}

// ---- Permutations ----

TEST(DrawPermutation, IsAPermutationForEverySize) {
  KeyStream stream = Stream();
  for (uint64_t n = 0; n < 300; ++n) ASSERT_TRUE(IsPermutation(DrawPermutation(n, stream))) << n;
  EXPECT_TRUE(IsPermutation(DrawPermutation(262144, stream)));
}

TEST(DrawPermutation, KeepsRunsWhole) {
  KeyStream stream = Stream();
  for (const uint64_t granularity : {2, 32, 256}) {
    const std::vector<uint32_t> source = DrawPermutation(8 * granularity, stream, granularity);
    ASSERT_TRUE(IsPermutation(source));
    for (size_t i = 0; i < source.size(); ++i) {
      ASSERT_EQ(source[i] % granularity, i % granularity);
      ASSERT_EQ(source[i] / granularity, source[i - i % granularity] / granularity);
    }
  }
}

// All 24 permutations of 4 come equally often; 23 degrees of freedom stay below 50 in 99.9 % of all draws.
TEST(DrawPermutation, IsUniform) {
  KeyStream stream = Stream();
  std::map<std::vector<uint32_t>, uint64_t> seen;
  for (int i = 0; i < 24000; ++i) ++seen[DrawPermutation(4, stream)];
  std::vector<uint64_t> counts;
  for (const auto& [permutation, count] : seen) counts.push_back(count);
  ASSERT_EQ(counts.size(), 24U);
  EXPECT_LT(ChiSquare(counts), 50);
}

// One fixed point is expected, whatever the size; 1000 draws have 1000, give or take 32.
TEST(DrawPermutation, LeavesOneIdInPlaceOnAverage) {
  KeyStream stream = Stream();
  uint64_t fixed = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::vector<uint32_t> source = DrawPermutation(1000, stream);
    for (size_t k = 0; k < source.size(); ++k) fixed += source[k] == k ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(fixed), 1000, 130);
}

// ---- Monomial draws ----

TEST(Draw, TrivialGroupGivesTheIdentity) { EXPECT_TRUE(DrawWith(Group::Trivial(), 64).IsIdentity()); }

TEST(Draw, ExactProfileGivesSignedPermutationsTimesPowersOfTwo) {
  const Group exact = Meet(Group::General(), Group::AllowedBy(Profile::kExact));
  const auto monomial = DrawWith(exact, 1000).AsMonomial();
  ASSERT_TRUE(monomial);
  EXPECT_TRUE(IsPermutation(monomial->source));
  std::map<double, uint64_t> counts;
  for (const double s : monomial->scale) {
    EXPECT_TRUE(IsPowerOfTwo(s, 2)) << s;
    ++counts[s];
  }
  // Ten values, 100 times each, give or take 9.5.
  EXPECT_EQ(counts.size(), 10U);
  for (const auto& [value, count] : counts) EXPECT_NEAR(static_cast<double>(count), 100, 40) << value;
}

TEST(Draw, OnlyTheMovesOfTheGroupAreDrawn) {
  constexpr uint64_t kDim = 200;
  struct Case {
    Group group;
    bool moves = false;
    bool signs = false;
    bool scales = false;
  };
  for (const Case& c :
       {Case{Group::Permutation(), true, false, false}, Case{Group::SignedPermutation(), true, true, false},
        Case{Group::Of(Move::kSign), false, true, false}, Case{Group::PositiveMonomial(), true, false, true},
        Case{Group::Monomial(), true, true, true}, Case{Group::Of(Move::kPowerOfTwo), false, false, true}}) {
    SCOPED_TRACE(c.group.Name());
    const auto monomial = DrawWith(c.group, kDim).AsMonomial();
    ASSERT_TRUE(monomial);
    std::vector<uint32_t> in_place(kDim);
    std::iota(in_place.begin(), in_place.end(), 0U);
    EXPECT_EQ(monomial->source != in_place, c.moves);
    EXPECT_TRUE(IsPermutation(monomial->source));
    bool signs = false;
    bool scales = false;
    for (const double s : monomial->scale) {
      signs |= s < 0;
      scales |= std::abs(s) != 1;
      EXPECT_LE(std::abs(std::log2(std::abs(s))), 2);
    }
    EXPECT_EQ(signs, c.signs);
    EXPECT_EQ(scales, c.scales);
  }
}

TEST(Draw, ContinuousScalesAreLogUniformFromOneHalfToTwo) {
  const auto monomial = DrawWith(Group::Of(Move::kScale), 20000).AsMonomial();
  ASSERT_TRUE(monomial);
  std::vector<uint64_t> counts(20);
  for (const double s : monomial->scale) {
    ASSERT_GE(s, 0.5);
    ASSERT_LE(s, 2);
    ++counts[std::min<size_t>(19, static_cast<size_t>((std::log2(s) + 1) * 10))];
  }
  EXPECT_LT(ChiSquare(counts), 19 + 4 * 6.2);
}

TEST(Draw, BlockPermutationKeepsBlocks) {
  const auto monomial = DrawWith(Group::BlockPermutation(32), 256).AsMonomial();
  ASSERT_TRUE(monomial);
  for (size_t i = 0; i < 256; ++i) EXPECT_EQ(monomial->source[i] % 32, i % 32);
}

// ---- Orthogonal draws ----

class OrthogonalDims : public testing::TestWithParam<uint64_t> {};

TEST_P(OrthogonalDims, DrawIsOrthogonal) {
  EXPECT_LT(FarFromOrthogonal(DrawWith(Group::Orthogonal(), GetParam())), 1e-12);
}

TEST_P(OrthogonalDims, DrawFixesOnes) {
  const Action action = DrawWith(Group::OrthogonalFixingOnes(), GetParam());
  EXPECT_LT(FarFromOrthogonal(action), 1e-12);
  std::vector<double> ones(GetParam(), 1.0);
  std::vector<double> scratch;
  action.Apply(ones.data(), 1, 1, scratch);
  for (const double value : ones) EXPECT_NEAR(value, 1, 1e-12);
}

// No entry stands out and none is missing: an energy of 1 is spread over n coordinates of every row and
// column. A Haar matrix has entries up to about sqrt(2 log(n^2) / n).
TEST_P(OrthogonalDims, DrawSpreadsEveryCoordinateOverAll) {
  const uint64_t n = GetParam();
  if (n < 32) return;  // too few entries for the moments below
  for (const Group& group : {Group::Orthogonal(), Group::OrthogonalFixingOnes()}) {
    SCOPED_TRACE(group.Name());
    const std::vector<double> m = Matrix(DrawWith(group, n));
    const auto dim = static_cast<double>(n);
    double largest = 0;
    double fourths = 0;
    for (const double x : m) {
      largest = std::max(largest, std::abs(x));
      fourths += std::pow(x, 4);
    }
    EXPECT_LT(largest, 1.5 * std::sqrt(4 * std::log(dim) / dim));
    // E x^4 = 3 / (n (n + 2)) for Haar.
    EXPECT_NEAR(fourths * (dim + 2) / (3 * dim), 1, 0.25);
  }
}

// 2^k, m 2^k, odd, and those of which no m 2^k with m <= 127 covers all: 129, 131, 254 + 1, 262, 778.
INSTANTIATE_TEST_SUITE_P(All, OrthogonalDims,
                         testing::Values(1, 2, 3, 4, 5, 7, 12, 64, 96, 100, 127, 128, 129, 131, 254, 255, 256, 262, 288,
                                         576, 768, 778));

TEST(Draw, OrthogonalDrawsDiffer) {
  EXPECT_NE(Matrix(DrawWith(Group::Orthogonal(), 16, 1)), Matrix(DrawWith(Group::Orthogonal(), 16, 2)));
}

// The first column of a Haar matrix of dimension 3 has a uniform first coordinate (Archimedes).
TEST(Draw, OddFactorsAreHaar) {
  std::vector<uint64_t> counts(10);
  std::vector<uint64_t> corner(10);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::vector<double> m = Matrix(DrawWith(Group::Orthogonal(), 3, seed));
    ++counts[std::min<size_t>(9, static_cast<size_t>((m[0] + 1) * 5))];
    ++corner[std::min<size_t>(9, static_cast<size_t>((m[8] + 1) * 5))];
  }
  EXPECT_LT(ChiSquare(counts), 28);  // 99.9 % of nine degrees of freedom
  EXPECT_LT(ChiSquare(corner), 28);
}

// ---- Dense draws ----

// Largest and smallest stretch by power iteration on A^T A and its inverse.
double LargestStretch(const Action& action) {
  const Action transpose = action.InverseTranspose().Inverse();
  std::vector<double> x(action.dim());
  std::vector<double> scratch;
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::cos(static_cast<double>(i * i));
  double norm = 0;
  for (int step = 0; step < 3000; ++step) {
    action.Apply(x.data(), 1, 1, scratch);
    transpose.Apply(x.data(), 1, 1, scratch);
    norm = std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
    for (double& value : x) value /= norm;
  }
  return std::sqrt(norm);
}

TEST(Draw, GeneralDrawsAreWellConditioned) {
  for (const uint64_t dim : {1, 2, 3, 16, 64}) {
    for (uint64_t seed = 0; seed < 4; ++seed) {
      const Action action = DrawWith(Group::General(), dim, seed);
      const double condition = LargestStretch(action) * LargestStretch(action.Inverse());
      EXPECT_LE(condition, 4.0001) << dim;
      EXPECT_GE(condition, dim >= 16 ? 2.5 : 1) << dim;
    }
  }
}

TEST(Draw, GeneralDrawIsNotOrthogonal) { EXPECT_GT(FarFromOrthogonal(DrawWith(Group::General(), 16)), 0.1); }

TEST(Draw, InverseUndoesEveryDraw) {
  for (const Group& group : {Group::General(), Group::Orthogonal(), Group::OrthogonalFixingOnes(), Group::Monomial()}) {
    const Action action = DrawWith(group, 96);
    const std::vector<double> m = Matrix(Compose(action.Inverse(), action));
    for (size_t i = 0; i < m.size(); ++i) ASSERT_NEAR(m[i], i % 97 == 0 ? 1 : 0, 1e-12) << group.Name();
  }
}

// ---- Heads with RoPE ----

constexpr RopeLayout::Pairing kPairings[] = {RopeLayout::Pairing::kRotateHalf, RopeLayout::Pairing::kInterleaved};

Action DrawRope(const Group& group, RopeLayout layout, uint64_t seed = 0) {
  KeyStream stream = Stream(seed);
  return DrawRopeHead(group, layout, stream);
}

// The rotation that RoPE applies at one position: pair p turns by p + 1, in radians.
Action Rotation(const RopeLayout& layout) {
  PairStage stage{std::vector<uint32_t>(layout.head_dim), std::vector<double>(layout.head_dim, 1.0),
                  std::vector<double>(layout.head_dim, 0.0)};
  std::iota(stage.partner.begin(), stage.partner.end(), 0U);
  double angle = 0;
  for (const auto& [p, q] : layout.Pairs()) {
    angle += 1;
    stage.partner[p] = q;
    stage.partner[q] = p;
    stage.a[p] = stage.a[q] = std::cos(angle);
    stage.b[p] = -std::sin(angle);
    stage.b[q] = std::sin(angle);
  }
  return Action::FromStages(layout.head_dim, {std::move(stage)});
}

TEST(DrawRopeHead, CommutesWithEveryRotation) {
  for (const auto pairing : kPairings) {
    for (const uint64_t rotary_dim : {16, 12, 2, 0}) {
      for (const Profile profile : {Profile::kExact, Profile::kRotated}) {
        const RopeLayout layout{16, rotary_dim, pairing};
        const Action g = DrawRope(Group::AllowedBy(profile), layout);
        const Action r = Rotation(layout);
        const std::vector<double> left = Matrix(Compose(g, r));
        const std::vector<double> right = Matrix(Compose(r, g));
        for (size_t i = 0; i < left.size(); ++i) ASSERT_NEAR(left[i], right[i], 1e-13) << rotary_dim;
      }
    }
  }
}

TEST(DrawRopeHead, ExactDrawsAreMonomialWithPowersOfTwo) {
  for (const auto pairing : kPairings) {
    for (const uint64_t rotary_dim : {64, 32, 2}) {
      const auto monomial = DrawRope(Group::AllowedBy(Profile::kExact), {64, rotary_dim, pairing}).AsMonomial();
      ASSERT_TRUE(monomial);
      EXPECT_TRUE(IsPermutation(monomial->source));
      for (size_t i = 0; i < 64; ++i) {
        EXPECT_TRUE(IsPowerOfTwo(monomial->scale[i], i < rotary_dim ? 1 : 2)) << i;
        EXPECT_EQ(monomial->source[i] < rotary_dim, i < rotary_dim);
      }
    }
  }
}

// Four quarters and three powers of two, drawn for 12000 pairs: 1000 of each, give or take 30.
TEST(DrawRopeHead, ExactScalarsAreUniform) {
  const RopeLayout layout{24000, 24000, RopeLayout::Pairing::kInterleaved};
  const auto monomial = DrawRope(Group::AllowedBy(Profile::kExact), layout).AsMonomial();
  ASSERT_TRUE(monomial);
  std::map<std::pair<bool, double>, uint64_t> seen;
  for (uint32_t i = 0; i < 24000; i += 2) ++seen[{monomial->source[i] == i, monomial->scale[i]}];
  std::vector<uint64_t> counts;
  for (const auto& [scalar, count] : seen) counts.push_back(count);
  ASSERT_EQ(counts.size(), 12U);
  EXPECT_LT(ChiSquare(counts), 31.3);  // 99.9 % of eleven degrees of freedom
}

TEST(DrawRopeHead, QkNormLeavesSignsOfWholePairs) {
  const RopeLayout layout{64, 64, RopeLayout::Pairing::kRotateHalf};
  const auto monomial = DrawRope(Group::PairSigns(), layout).AsMonomial();
  ASSERT_TRUE(monomial);
  int negative = 0;
  for (const auto& [p, q] : layout.Pairs()) {
    EXPECT_EQ(monomial->source[p], p);
    EXPECT_EQ(monomial->scale[p], monomial->scale[q]);
    EXPECT_EQ(std::abs(monomial->scale[p]), 1);
    negative += monomial->scale[p] < 0 ? 1 : 0;
  }
  EXPECT_GT(negative, 5);
  EXPECT_LT(negative, 27);
}

TEST(DrawRopeHead, AnyTurnMayBeDrawn) {
  const RopeLayout layout{20000, 20000, RopeLayout::Pairing::kInterleaved};
  const Action action = DrawRope(Group::RopeScalars(), layout);
  ASSERT_EQ(action.stages().size(), 1U);
  const auto& pairs = std::get<PairStage>(action.stages()[0]);
  std::vector<uint64_t> angles(20);
  for (size_t p = 0; p < 20000; p += 2) {
    const double scale = std::hypot(pairs.a[p], pairs.b[p]);
    ASSERT_GE(scale, 0.5 - 1e-15);
    ASSERT_LE(scale, 2 + 1e-15);
    const double turn = std::atan2(pairs.b[p + 1], pairs.a[p]) / (2 * M_PI) + 0.5;
    ++angles[std::min<size_t>(19, static_cast<size_t>(turn * 20))];
  }
  EXPECT_LT(ChiSquare(angles), 43.8);  // 99.9 % of nineteen degrees of freedom
}

TEST(DrawRopeHead, TrivialGroupGivesTheIdentity) {
  for (const uint64_t rotary_dim : {16, 8, 0}) {
    EXPECT_TRUE(DrawRope(Group::Trivial(), {16, rotary_dim, kPairings[0]}).IsIdentity());
  }
}

// A permutation keeps a partition if every block's image is a block: the same one where blocks stay.
bool Keeps(const std::vector<uint32_t>& source, const Partition& partition) {
  std::map<uint64_t, uint64_t> begins;  // of each end
  uint64_t begin = 0;
  for (const uint64_t end : partition.ends) begins[end] = std::exchange(begin, end);
  for (const auto& [end, first] : begins) {
    std::vector<uint32_t> from(source.begin() + static_cast<std::ptrdiff_t>(first),
                               source.begin() + static_cast<std::ptrdiff_t>(end));
    std::sort(from.begin(), from.end());
    const bool consecutive = from.back() - from.front() + 1 == from.size();
    const auto block = begins.find(from.back() + 1);
    if (!consecutive || block == begins.end() || block->second != from.front()) return false;
    if (partition.blocks == Partition::Blocks::kStay && block->first != end) return false;
  }
  return true;
}

TEST(Draw, PermutationsKeepEveryPartition) {
  using Blocks = Partition::Blocks;
  const Partition groups = Partition::Uniform(1920, 60, Blocks::kMove), seam{.ends = {1280, 1920}},
                  ragged{.ends = {7, 100, 1920}};
  const std::vector<std::vector<Partition>> cases = {
      {groups}, {seam}, {groups, seam}, {Partition::Uniform(1920, 10, Blocks::kStay), groups}, {ragged, groups, seam}};
  for (const uint64_t run : {1, 4, 20}) {
    for (const auto& partitions : cases) {
      Group group = Group::BlockPermutation(run);
      for (const Partition& partition : partitions) group = Meet(group, Group::Keeping(partition));
      KeyStream stream = Stream(11);
      const std::vector<uint32_t> source = DrawPermutation(group, 1920, stream);
      EXPECT_EQ(std::set(source.begin(), source.end()).size(), 1920u);
      for (const Partition& partition : partitions) EXPECT_TRUE(Keeps(source, partition)) << group.Name();
      for (uint64_t i = 0; i < 1920; ++i) EXPECT_EQ(source[i] % run, i % run) << group.Name();
      // Cells of 10 hold no whole run of 20.
      EXPECT_TRUE(run > 4 || !std::is_sorted(source.begin(), source.end())) << group.Name();
    }
  }
  // The check can fail: a permutation of all keeps none of them.
  KeyStream stream = Stream(11);
  EXPECT_FALSE(Keeps(DrawPermutation(1920, stream), groups));
}

}  // namespace
}  // namespace isoveil
