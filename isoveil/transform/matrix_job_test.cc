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

struct Case {
  Group rows;
  Group cols;
  DType source;
  DType target;
  bool source_transposed;
  bool target_transposed;
  bool gain;
};

class MatrixJobTest : public testing::TestWithParam<Case> {};

MatrixSlice SliceOf(DType type, uint64_t rows, uint64_t cols, bool transposed) {
  const uint64_t element = BlockBytes(type);
  MatrixSlice slice{.type = type, .rows = rows, .cols = cols, .row_stride = cols * element, .col_stride = element};
  if (transposed) {
    slice.row_stride = element;
    slice.col_stride = rows * element;
  }
  return slice;
}

float ReadAt(std::span<const std::byte> bytes, const MatrixSlice& slice, uint64_t r, uint64_t c) {
  float value = 0;
  ToFloat(slice.type, bytes.subspan(r * slice.row_stride + c * slice.col_stride, BlockBytes(slice.type)), {&value, 1});
  return value;
}

// rows x X x cols^T in fp64, by definition.
TEST_P(MatrixJobTest, AgreesWithTheMatrixProduct) {
  const Case& c = GetParam();
  constexpr uint64_t kRows = 48;
  constexpr uint64_t kCols = 40;
  std::mt19937 rng(7);
  std::normal_distribution<float> normal;
  const MatrixSlice source = SliceOf(c.source, kRows, kCols, c.source_transposed);
  const MatrixSlice target = SliceOf(c.target, kRows, kCols, c.target_transposed);
  std::vector<std::byte> bytes(kRows * kCols * BlockBytes(c.source));
  for (size_t i = 0; i < kRows * kCols; ++i) {
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
    std::vector<std::byte> out(kRows * kCols * BlockBytes(c.target));
    PanelScratch scratch;
    for (size_t panel = 0; panel < job->n_panels(); ++panel) {
      ASSERT_TRUE(job->Run(panel, scratch, [&](uint64_t offset, std::span<const std::byte> piece) -> Status {
        std::memcpy(out.data() + offset, piece.data(), piece.size());
        return Ok();
      }));
    }
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
    testing::Values(Case{kExact, kExact, DType::kBF16, DType::kBF16, false, false, false},
                    Case{kExact, kExact, DType::kF32, DType::kF32, true, true, false},
                    Case{kExact, kExact, DType::kF32, DType::kF32, true, false, true},
                    Case{Group::Permutation(), Group::Orthogonal(), DType::kBF16, DType::kF32, false, false, true},
                    Case{Group::Orthogonal(), Group::Monomial(), DType::kF32, DType::kF32, false, false, true},
                    Case{Group::Orthogonal(), Group::OrthogonalFixingOnes(), DType::kF32, DType::kF32, false, true,
                         true},
                    Case{Group::General(), Group::General(), DType::kF16, DType::kBF16, false, false, false}));

TEST(MatrixJobErrorTest, APowerOfTwoThatWouldLoseBitsIsRefused) {
  const float tiny[2] = {1e-38F, 1.0F};
  const MatrixSlice slice{.type = DType::kF32, .rows = 1, .cols = 2, .row_stride = 8, .col_stride = 4};
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
  const MatrixSlice slice{.type = DType::kQ8_0, .rows = 1, .cols = 64, .row_stride = bytes.size(), .col_stride = 0};
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
  std::vector<float> values(256 * 256);
  const MatrixSlice slice = SliceOf(DType::kF32, 256, 256, false);
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
