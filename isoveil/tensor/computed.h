// Tensors whose elements are computed from stored ones when they are read: a matrix of FP8 times its scales, a matrix
// and what an adapter adds to it.
//
//   const TensorView merged = Merged(base, {.a = a, .b = b, .scale = 2});
//   for (const TensorView& part : StoredParts(merged)) Hash(part.bytes);
//   const RowReader reader(merged);
//   for (uint64_t row = 0; row < rows; ++row) ISOVEIL_RETURN_IF_ERROR(reader.Read(row, out));
//
// A computed view has the name, type and shape of what it stands for and no bytes. Values are computed in fp64 and
// rounded to the type once, to nearest even.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "isoveil/tensor/tensor.h"

namespace isoveil {

// scale * b a for a of {rank, inputs} and b of {outputs, rank}: added to a matrix of {outputs, inputs}, or, transposed,
// to one of {inputs, outputs}.
struct LowRankUpdate {
  TensorView a;
  TensorView b;
  double scale = 1;
  bool transposed = false;
};

// A factor for each block of a matrix; the last blocks of a row or column may be cut off.
struct BlockScales {
  TensorView values;  // row by row
  uint64_t block_rows = 1;
  uint64_t block_cols = 1;
};

struct Computation {
  TensorView base;
  std::optional<BlockScales> scales;
  std::optional<LowRankUpdate> update;
};

// The matrix times its scales, in BF16. There must be a scale for each block.
TensorView Scaled(TensorView base, BlockScales scales);

// The matrix, which may be scaled, with the update added. The shapes must fit.
TensorView Merged(TensorView base, LowRankUpdate update);

// The stored tensors that a view is read from: itself unless it is computed.
std::vector<TensorView> StoredParts(const TensorView& tensor);

// Reads a computed matrix. Immutable; the view's bytes must outlive it.
class RowReader {
 public:
  explicit RowReader(const TensorView& tensor);
  // `out` holds one row of the tensor's type. kFormat if a value does not fit into it.
  Status Read(uint64_t row, std::span<std::byte> out) const;

 private:
  TensorInfo info_;
  std::shared_ptr<const Computation> how_;
  void AddUpdate(uint64_t row, std::span<double> values) const;

  std::vector<float> scales_;
  std::vector<float> left_;   // {rows, rank}
  std::vector<float> right_;  // {rank, columns}
  uint64_t rank_ = 0;
};

}  // namespace isoveil
