#include "isoveil/transform/matrix_job.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "isoveil/crypto/key_stream.h"
#include "isoveil/key/draw.h"

namespace isoveil {
namespace {

KeyStream StreamOf(uint8_t seed) {
  SecretBytes subkey = SecretBytes::Allocate(32).value();
  subkey.InsecureMutableBytes()[0] = std::byte{seed};
  return KeyStream(std::move(subkey));
}

std::vector<double> MatrixOf(const Action& action) {
  const size_t n = action.dim();
  std::vector<double> m(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) m[i * n + i] = 1;
  std::vector<double> scratch;
  action.Apply(m.data(), n, n, scratch);
  return m;
}

// kByHead: rows in runs of 8, with the rows of two other weights between them.
enum class Stored { kPlain, kTransposed, kByHead };

struct Case {
  Group rows;
  Group cols;
  DType source;
  DType target;
  Stored source_stored;
  Stored target_stored;
  bool gain;
};

class MatrixJobTest : public testing::TestWithParam<Case> {};

Slice SliceOf(DType type, uint64_t rows, uint64_t cols, Stored stored) {
  const uint64_t element = BlockBytes(type);
  const uint64_t row = cols * element;
  switch (stored) {
    case Stored::kPlain:
      return {.type = type, .rows = {.count = rows, .stride = row}, .cols = {.count = cols, .stride = element}};
    case Stored::kTransposed:
      return {
          .type = type, .rows = {.count = rows, .stride = element}, .cols = {.count = cols, .stride = rows * element}};
    case Stored::kByHead:
      return {.type = type,
              .offset = 8 * row,
              .rows = {.count = rows, .stride = row, .run = 8, .run_stride = 24 * row},
              .cols = {.count = cols, .stride = element}};
  }
  return {};
}

uint64_t TensorElements(uint64_t rows, uint64_t cols, Stored stored) {
  return rows * cols * (stored == Stored::kByHead ? 3 : 1);
}

float ReadAt(std::span<const std::byte> bytes, const Slice& slice, uint64_t r, uint64_t c) {
  float value = 0;
  ToFloat(slice.type, bytes.subspan(slice.offset + slice.rows.Offset(r) + slice.cols.Offset(c), BlockBytes(slice.type)),
          {&value, 1});
  return value;
}

// rows x X x cols^T in fp64, by definition.
TEST_P(MatrixJobTest, AgreesWithTheMatrixProduct) {
  const Case& c = GetParam();
  constexpr uint64_t kRows = 48;
  constexpr uint64_t kCols = 40;
  std::mt19937 rng(7);
  std::normal_distribution<float> normal;
  const Slice source = SliceOf(c.source, kRows, kCols, c.source_stored);
  const Slice target = SliceOf(c.target, kRows, kCols, c.target_stored);
  const uint64_t n = TensorElements(kRows, kCols, c.source_stored);
  std::vector<std::byte> bytes(n * BlockBytes(c.source));
  for (size_t i = 0; i < n; ++i) {
    const float value = normal(rng);
    ASSERT_TRUE(
        FromFloat(c.source, {&value, 1}, std::span(bytes).subspan(i * BlockBytes(c.source), BlockBytes(c.source))));
  }
  KeyStream row_stream = StreamOf(1);
  KeyStream col_stream = StreamOf(2);
  const Action rows = Draw(c.rows, kRows, row_stream);
  const Action cols = Draw(c.cols, kCols, col_stream);
  std::vector<float> gain;
  for (uint64_t i = 0; c.gain && i < kCols; ++i) gain.push_back(1 + 0.01F * static_cast<float>(i));

  std::vector<double> expected(kRows * kCols, 0.0);
  const std::vector<double> row_matrix = MatrixOf(rows);
  const std::vector<double> col_matrix = MatrixOf(cols);
  for (uint64_t r = 0; r < kRows; ++r) {
    for (uint64_t k = 0; k < kRows; ++k) {
      for (uint64_t j = 0; j < kCols; ++j) {
        const double x = ReadAt(bytes, source, k, j) * (c.gain ? gain[j] : 1.0F);
        for (uint64_t i = 0; i < kCols; ++i) {
          expected[r * kCols + i] += row_matrix[r * kRows + k] * x * col_matrix[i * kCols + j];
        }
      }
    }
  }
  // Enough for everything at once, and so little that panels are small.
  for (const uint64_t scratch_bytes : {uint64_t{1} << 20, uint64_t{12} * kRows * kCols}) {
    auto job = MatrixJob::Prepare({.name = "w",
                                   .source_bytes = bytes,
                                   .source = source,
                                   .target = target,
                                   .rows = rows,
                                   .cols = cols,
                                   .row_gain = {},
                                   .col_gain = gain},
                                  scratch_bytes);
    ASSERT_TRUE(job);
    std::vector<std::byte> out(TensorElements(kRows, kCols, c.target_stored) * BlockBytes(c.target));
    uint64_t written = 0;
    PanelScratch scratch;
    for (size_t panel = 0; panel < job->n_panels(); ++panel) {
      ASSERT_TRUE(job->Run(panel, scratch, [&](uint64_t offset, std::span<const std::byte> piece) -> Status {
        std::memcpy(out.data() + offset, piece.data(), piece.size());
        written += piece.size();
        return Ok();
      }));
    }
    EXPECT_EQ(written, kRows * kCols * BlockBytes(c.target)) << "the other weights of the tensor are not touched";
    const double precision = c.target == DType::kF32 ? 1e-5 : 0.01;
    for (uint64_t r = 0; r < kRows; ++r) {
      for (uint64_t i = 0; i < kCols; ++i) {
        const double value = expected[r * kCols + i];
        ASSERT_NEAR(ReadAt(out, target, r, i), value, precision * (1 + std::abs(value))) << r << " " << i;
      }
    }
  }
}

const Group kExact = Meet(Group::Monomial(), Group::AllowedBy(Profile::kExact));

INSTANTIATE_TEST_SUITE_P(
    Ways, MatrixJobTest,
    testing::Values(
        Case{kExact, kExact, DType::kBF16, DType::kBF16, Stored::kPlain, Stored::kPlain, false},
        Case{kExact, kExact, DType::kF32, DType::kF32, Stored::kTransposed, Stored::kTransposed, false},
        Case{kExact, kExact, DType::kF32, DType::kF32, Stored::kTransposed, Stored::kPlain, true},
        Case{Group::Permutation(), Group::Orthogonal(), DType::kBF16, DType::kF32, Stored::kPlain, Stored::kPlain,
             true},
        Case{Group::Orthogonal(), Group::Monomial(), DType::kF32, DType::kF32, Stored::kPlain, Stored::kPlain, true},
        Case{Group::Orthogonal(), Group::OrthogonalFixingOnes(), DType::kF32, DType::kF32, Stored::kPlain,
             Stored::kTransposed, true},
        Case{Group::General(), Group::General(), DType::kF16, DType::kBF16, Stored::kPlain, Stored::kPlain, false},
        Case{kExact, kExact, DType::kBF16, DType::kBF16, Stored::kByHead, Stored::kByHead, false},
        Case{Group::Orthogonal(), Group::Orthogonal(), DType::kF32, DType::kF32, Stored::kByHead, Stored::kByHead,
             true},
        Case{Group::Permutation(), Group::Orthogonal(), DType::kF32, DType::kF32, Stored::kTransposed, Stored::kByHead,
             false}));

// A bias of queries, keys and values by turns.
TEST(MatrixJobVectorTest, RunsOfAVectorAreMovedAndNothingBetweenThem) {
  constexpr uint64_t kRuns = 4;
  std::vector<float> stored(kRuns * 6);
  std::iota(stored.begin(), stored.end(), 0.0F);
  const Slice slice{.type = DType::kF32,
                    .offset = 2 * sizeof(float),
                    .rows = {.count = 1, .stride = stored.size() * sizeof(float)},
                    .cols = {.count = kRuns * 2, .stride = sizeof(float), .run = 2, .run_stride = 6 * sizeof(float)}};
  for (const double factor : {1.0, 1.5}) {  // moved, computed
    std::vector<uint32_t> backwards(kRuns * 2);
    for (uint32_t i = 0; i < backwards.size(); ++i) backwards[i] = static_cast<uint32_t>(backwards.size() - 1 - i);
    const Action cols =
        Compose(Action::Diagonal(std::vector(backwards.size(), factor)), Action::Permutation(backwards));
    auto job = MatrixJob::Prepare({.name = "bias",
                                   .source_bytes = std::as_bytes(std::span(stored)),
                                   .source = slice,
                                   .target = slice,
                                   .rows = Action::Identity(1),
                                   .cols = cols,
                                   .row_gain = {},
                                   .col_gain = {}},
                                  1 << 20);
    ASSERT_TRUE(job);
    std::vector<float> out(stored.size(), -1.0F);
    PanelScratch scratch;
    ASSERT_TRUE(job->Run(0, scratch, [&](uint64_t offset, std::span<const std::byte> piece) -> Status {
      std::memcpy(reinterpret_cast<std::byte*>(out.data()) + offset, piece.data(), piece.size());
      return Ok();
    }));
    for (uint64_t i = 0; i < stored.size(); ++i) {
      const bool ours = i % 6 == 2 || i % 6 == 3;
      const double mirrored =
          static_cast<double>(i % 6 == 2 ? stored.size() - 3 - (i - 2) : stored.size() - 4 - (i - 3));
      EXPECT_EQ(out[i], ours ? static_cast<float>(mirrored * factor) : -1.0F) << i;
    }
  }
}

TEST(MatrixJobErrorTest, APowerOfTwoThatWouldLoseBitsIsRefused) {
  const float tiny[2] = {1e-38F, 1.0F};
  const Slice slice{.type = DType::kF32, .rows = {.count = 1, .stride = 8}, .cols = {.count = 2, .stride = 4}};
  auto job = MatrixJob::Prepare({.name = "w",
                                 .source_bytes = std::as_bytes(std::span(tiny)),
                                 .source = slice,
                                 .target = slice,
                                 .rows = Action::Identity(1),
                                 .cols = Action::Diagonal({0.25, 1})},
                                1 << 20);
  ASSERT_TRUE(job);
  PanelScratch scratch;
  const Status status = job->Run(0, scratch, [](uint64_t, std::span<const std::byte>) { return Ok(); });
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().where.find("weight w"), std::string::npos);
  EXPECT_NE(status.error().hint.find("--no-scale"), std::string::npos);
}

TEST(MatrixJobErrorTest, BlocksAreNotBrokenUnlessAsked) {
  std::vector<std::byte> bytes(*RowBytes(DType::kQ8_0, 64));
  const Slice slice{.type = DType::kQ8_0, .rows = {.count = 1, .stride = bytes.size()}, .cols = {.count = 64}};
  std::vector<uint32_t> swapped(64);
  std::iota(swapped.begin(), swapped.end(), 0U);
  std::swap(swapped[0], swapped[1]);
  MatrixJobSpec spec{.name = "w",
                     .source_bytes = bytes,
                     .source = slice,
                     .target = slice,
                     .rows = Action::Identity(1),
                     .cols = Action::Permutation(swapped)};
  EXPECT_EQ(MatrixJob::Prepare(spec, 1 << 20).error().code, ErrorCode::kUnsupported);
  spec.requantize = true;
  EXPECT_TRUE(MatrixJob::Prepare(spec, 1 << 20));
}

TEST(MatrixJobErrorTest, TooLittleMemoryIsSaid) {
  std::vector<float> values(size_t{256} * 256);
  const Slice slice = SliceOf(DType::kF32, 256, 256, Stored::kPlain);
  KeyStream stream = StreamOf(3);
  const Action q = Draw(Group::Orthogonal(), 256, stream);
  const auto job = MatrixJob::Prepare({.name = "w",
                                       .source_bytes = std::as_bytes(std::span(values)),
                                       .source = slice,
                                       .target = slice,
                                       .rows = q,
                                       .cols = q},
                                      4096);
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().code, ErrorCode::kNoMemory);
}

}  // namespace
}  // namespace isoveil
