#include "isoveil/algebra/action.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace isoveil {
namespace {

using Matrix = std::vector<double>;  // row-major, square
using Rng = std::mt19937_64;

double Real(Rng& rng, double low, double high) { return std::uniform_real_distribution<double>(low, high)(rng); }

std::vector<uint32_t> Shuffled(uint64_t n, Rng& rng) {
  std::vector<uint32_t> source(n);
  std::iota(source.begin(), source.end(), 0U);
  std::shuffle(source.begin(), source.end(), rng);
  return source;
}

Matrix Zero(uint64_t n) { return Matrix(n * n, 0.0); }

Matrix Unit(uint64_t n) {
  Matrix m = Zero(n);
  for (uint64_t i = 0; i < n; ++i) m[i * n + i] = 1;
  return m;
}

Matrix Product(const Matrix& a, const Matrix& b, uint64_t n) {
  Matrix c = Zero(n);
  for (uint64_t i = 0; i < n; ++i) {
    for (uint64_t k = 0; k < n; ++k) {
      for (uint64_t j = 0; j < n; ++j) c[i * n + j] += a[i * n + k] * b[k * n + j];
    }
  }
  return c;
}

Matrix Transposed(const Matrix& a, uint64_t n) {
  Matrix t = Zero(n);
  for (uint64_t i = 0; i < n; ++i) {
    for (uint64_t j = 0; j < n; ++j) t[j * n + i] = a[i * n + j];
  }
  return t;
}

// The matrix of each stage straight from its definition, without the code under test.
Matrix DefinitionOf(const ActionStage& stage, uint64_t n) {
  Matrix m = Unit(n);
  const auto* gather = std::get_if<GatherStage>(&stage);
  const auto* scale = std::get_if<ScaleStage>(&stage);
  const auto* pair = std::get_if<PairStage>(&stage);
  const auto* dense = std::get_if<DenseStage>(&stage);
  const auto* hadamard = std::get_if<HadamardStage>(&stage);
  const auto* odd = std::get_if<OddFactorStage>(&stage);
  if (gather != nullptr) {
    m = Zero(n);
    for (uint64_t i = 0; i < n; ++i) m[i * n + gather->source[i]] = 1;
  } else if (scale != nullptr) {
    for (uint64_t i = 0; i < n; ++i) m[i * n + i] = scale->scale[i];
  } else if (pair != nullptr) {
    m = Zero(n);
    for (uint64_t i = 0; i < n; ++i) {
      m[i * n + i] += pair->a[i];
      m[i * n + pair->partner[i]] += pair->b[i];
    }
  } else if (dense != nullptr) {
    m = Zero(n);
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t begin = i / dense->block * dense->block;
      for (uint64_t j = 0; j < dense->block; ++j) m[i * n + begin + j] = dense->matrices[i * dense->block + j];
    }
  } else if (hadamard != nullptr) {
    const uint64_t run = uint64_t{1} << hadamard->log2_run;
    for (uint64_t i = 0; i < hadamard->covered; ++i) {
      for (uint64_t j = i / run * run; j < i / run * run + run; ++j) {
        const int parity = __builtin_popcountll((i % run) & (j % run)) % 2;
        m[i * n + j] = (parity == 0 ? 1 : -1) / std::sqrt(static_cast<double>(run));
      }
    }
  } else if (odd != nullptr) {
    const uint64_t group = odd->factor * odd->run;
    for (uint64_t i = 0; i < odd->covered; ++i) {
      m[i * n + i] = 0;
      for (uint64_t f = 0; f < odd->factor; ++f) {
        m[i * n + i / group * group + f * odd->run + i % odd->run] =
            odd->matrix[i % group / odd->run * odd->factor + f];
      }
    }
  } else if (n > 1) {
    std::vector<double> v(n, 1 / std::sqrt(static_cast<double>(n)));
    v[0] -= 1;
    const double norm = std::inner_product(v.begin(), v.end(), v.begin(), 0.0);
    for (uint64_t i = 0; i < n; ++i) {
      for (uint64_t j = 0; j < n; ++j) m[i * n + j] -= 2 * v[i] * v[j] / norm;
    }
  }
  return m;
}

Matrix RandomOrthogonal2(Rng& rng) {
  const double angle = Real(rng, 0, 6);
  return {std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle)};
}

// A 3 x 3 rotation in two planes.
Matrix RandomOrthogonal3(Rng& rng) {
  const Matrix a = RandomOrthogonal2(rng);
  const Matrix b = RandomOrthogonal2(rng);
  const Matrix first = {a[0], a[1], 0, a[2], a[3], 0, 0, 0, 1};
  const Matrix second = {1, 0, 0, 0, b[0], b[1], 0, b[2], b[3]};
  return Product(first, second, 3);
}

ActionStage RandomStage(uint64_t n, Rng& rng) {
  switch (rng() % 7) {
    case 0: return GatherStage{Shuffled(n, rng)};
    case 1: {
      ScaleStage s;
      for (uint64_t i = 0; i < n; ++i) s.scale.push_back((rng() % 2 == 0 ? 1 : -1) * Real(rng, 0.5, 2));
      return s;
    }
    case 2: {
      const std::vector<uint32_t> order = Shuffled(n, rng);
      PairStage s{std::vector<uint32_t>(n), std::vector<double>(n), std::vector<double>(n)};
      std::iota(s.partner.begin(), s.partner.end(), 0U);
      for (double& a : s.a) a = Real(rng, 1, 2);
      for (uint64_t i = 0; i + 1 < n; i += 3) {
        s.partner[order[i]] = order[i + 1];
        s.partner[order[i + 1]] = order[i];
        s.b[order[i]] = Real(rng, -0.5, 0.5);
        s.b[order[i + 1]] = Real(rng, -0.5, 0.5);
      }
      return s;
    }
    case 3: {
      const uint64_t block = n % 4 == 0 ? 4 : n % 3 == 0 ? 3 : 1;
      DenseStage s{block, std::vector<double>(n * block)};
      for (uint64_t i = 0; i < n; ++i) {
        for (uint64_t j = 0; j < block; ++j)
          s.matrices[i * block + j] = Real(rng, -0.3, 0.3) + (i % block == j ? 1.5 : 0);
      }
      return s;
    }
    case 4: {
      unsigned k = 0;
      while ((2U << k) <= n && rng() % 4 != 0) ++k;
      return HadamardStage{k, n >> k << k};
    }
    case 5: {
      const uint64_t run = n >= 6 ? 2 : 1;
      if (n < 3 * run) return OnesReflectionStage{};
      return OddFactorStage{3, run, n / (3 * run) * (3 * run), RandomOrthogonal3(rng)};
    }
    default: return OnesReflectionStage{};
  }
}

Matrix MatrixOf(const Action& action) {
  const uint64_t n = action.dim();
  Matrix m = Unit(n);
  std::vector<double> scratch;
  action.Apply(m.data(), n, n, scratch);
  return m;
}

void ExpectNear(const Matrix& found, const Matrix& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  double largest = 0;
  for (size_t i = 0; i < found.size(); ++i) largest = std::max(largest, std::abs(found[i] - expected[i]));
  EXPECT_LT(largest, tolerance);
}

class ActionPropertyTest : public testing::TestWithParam<uint64_t> {
 protected:
  Action RandomAction(uint64_t n, int n_stages) {
    std::vector<ActionStage> stages;
    for (int i = 0; i < n_stages; ++i) stages.push_back(RandomStage(n, rng_));
    return Action::FromStages(n, std::move(stages));
  }
  Rng rng_{GetParam() * 977 + 5};
};

TEST_P(ActionPropertyTest, ApplyIsTheProductOfTheStagesByDefinition) {
  const uint64_t n = GetParam();
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<ActionStage> stages;
    Matrix expected = Unit(n);
    for (int i = 0; i < 5; ++i) {
      stages.push_back(RandomStage(n, rng_));
      expected = Product(DefinitionOf(stages.back(), n), expected, n);
    }
    ExpectNear(MatrixOf(Action::FromStages(n, stages)), expected, 1e-9);
  }
}

TEST_P(ActionPropertyTest, GroupLaws) {
  const uint64_t n = GetParam();
  for (int trial = 0; trial < 10; ++trial) {
    const Action g = RandomAction(n, 4);
    const Action h = RandomAction(n, 4);
    const Matrix g_matrix = MatrixOf(g);
    ExpectNear(MatrixOf(Compose(g.Inverse(), g)), Unit(n), 1e-9);
    ExpectNear(MatrixOf(Compose(g, g.Inverse())), Unit(n), 1e-9);
    ExpectNear(MatrixOf(Compose(g, h)), Product(g_matrix, MatrixOf(h), n), 1e-9);
    ExpectNear(Product(Transposed(MatrixOf(g.InverseTranspose()), n), g_matrix, n), Unit(n), 1e-9);
  }
}

TEST_P(ActionPropertyTest, FloatFollowsDoubleAndLeavesThePaddingAlone) {
  const uint64_t n = GetParam();
  constexpr size_t kLanes = 5;
  constexpr size_t kStride = 9;
  const Action g = RandomAction(n, 4);
  std::vector<double> wide(n * kStride);
  for (double& x : wide) x = Real(rng_, -1, 1);
  std::vector<float> narrow(wide.begin(), wide.end());
  const std::vector<float> before = narrow;
  std::vector<double> wide_scratch;
  std::vector<float> narrow_scratch;
  g.Apply(wide.data(), kLanes, kStride, wide_scratch);
  g.Apply(narrow.data(), kLanes, kStride, narrow_scratch);
  for (size_t i = 0; i < narrow.size(); ++i) {
    if (i % kStride < kLanes) {
      EXPECT_NEAR(narrow[i], wide[i], 2e-4 * (1 + std::abs(wide[i])));
    } else {
      EXPECT_EQ(narrow[i], before[i]);
    }
  }
}

TEST_P(ActionPropertyTest, SplitGathersThenKeepsToBlocks) {
  const uint64_t n = GetParam() * 4;
  std::vector<Action> heads;
  for (uint64_t i = 0; i < 4; ++i) heads.push_back(RandomAction(GetParam(), 3));
  const std::vector<uint32_t> moved = {2, 0, 3, 1};
  const Action g = Action::MovedBlocks(moved, heads);
  const Matrix expected = MatrixOf(g);
  const Action::Split split = g.SplitLeadingGather();
  ASSERT_EQ(n % split.block, 0U);
  std::vector<double> scratch;
  for (uint64_t begin = 0; begin < n; begin += split.block) {
    std::vector<double> panel(split.block * n, 0.0);
    for (uint64_t i = 0; i < split.block; ++i) panel[i * n + split.source[begin + i]] = 1;
    split.rest.ApplyRange(begin, split.block, panel.data(), n, n, scratch);
    const Matrix part(expected.begin() + static_cast<ptrdiff_t>(begin * n),
                      expected.begin() + static_cast<ptrdiff_t>((begin + split.block) * n));
    ExpectNear(panel, part, 1e-9);
  }
}

TEST_P(ActionPropertyTest, MovedBlocksAndDirectSumAreBlockMatrices) {
  const uint64_t b = GetParam();
  const std::vector<Action> blocks = {RandomAction(b, 2), RandomAction(b, 2), RandomAction(b, 2)};
  const std::vector<uint32_t> source = {1, 2, 0};
  const uint64_t n = 3 * b;
  Matrix sum = Zero(n);
  Matrix moved = Zero(n);
  for (uint64_t i = 0; i < 3; ++i) {
    const Matrix m = MatrixOf(blocks[i]);
    for (uint64_t r = 0; r < b; ++r) {
      for (uint64_t c = 0; c < b; ++c) {
        sum[(i * b + r) * n + i * b + c] = m[r * b + c];
        moved[(i * b + r) * n + source[i] * b + c] = m[r * b + c];
      }
    }
  }
  ExpectNear(MatrixOf(Action::DirectSum(blocks)), sum, 1e-9);
  ExpectNear(MatrixOf(Action::MovedBlocks(source, blocks)), moved, 1e-9);
}

INSTANTIATE_TEST_SUITE_P(Dimensions, ActionPropertyTest, testing::Values(1, 2, 3, 4, 8, 12, 17, 43, 48));

TEST(ActionTest, MonomialProductsStayOneGatherAndOneDiagonal) {
  Rng rng(3);
  Action g = Action::Identity(10);
  for (int i = 0; i < 6; ++i) {
    g = Compose(Action::Permutation(Shuffled(10, rng)), g);
    g = Compose(Action::Diagonal(std::vector<double>(10, i % 2 == 0 ? -2.0 : 0.5)), g);
  }
  EXPECT_LE(g.stages().size(), 2U);
  const std::optional<Monomial> monomial = g.AsMonomial();
  ASSERT_TRUE(monomial);
  Matrix expected = Zero(10);
  for (uint64_t i = 0; i < 10; ++i) expected[i * 10 + monomial->source[i]] = monomial->scale[i];
  ExpectNear(MatrixOf(g), expected, 1e-12);
  ExpectNear(MatrixOf(g.PermutationPart()), MatrixOf(Action::Permutation(monomial->source)), 1e-12);
  EXPECT_FALSE(Action::FromStages(4, {HadamardStage{1, 4}}).AsMonomial());
}

TEST(ActionTest, AnActionAndItsInverseCancelToNoStages) {
  Rng rng(4);
  const Action g = Compose(Action::Diagonal({2, 4, -0.5}), Action::Permutation(Shuffled(3, rng)));
  EXPECT_TRUE(Compose(g.Inverse(), g).IsIdentity());
}

}  // namespace
}  // namespace isoveil
