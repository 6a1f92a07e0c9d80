// Where a matrix lies inside a stored tensor: fused, interleaved, transposed and stacked storage are offsets and
// strides.
//
//   Slice q{.type = DType::kBF16, .rows = {.count = 64, .stride = 32}, .cols = {.count = 16, .stride = 2}};
//   q.rows.run = 16, q.rows.run_stride = 3 * 16 * 32;    // rows of q, k and v by turns, 16 of each head
//
// A vector has one row. In a block format columns are packed, and steps between them have no meaning.
#pragma once

#include <cstdint>

#include "isoveil/tensor/dtype.h"

namespace isoveil {

// Coordinates along one axis: evenly spaced, or in evenly spaced runs of evenly spaced ones.
struct StridedAxis {
  uint64_t count = 1;
  uint64_t stride = 0;      // bytes to the next coordinate of a run
  uint64_t run = 0;         // coordinates in a run; 0: all are one
  uint64_t run_stride = 0;  // bytes to the next run

  // Of a coordinate from the first, in bytes.
  [[nodiscard]] uint64_t Offset(uint64_t i) const {
    return run == 0 ? i * stride : i / run * run_stride + i % run * stride;
  }
  // Coordinates from i on that are evenly spaced.
  [[nodiscard]] uint64_t Run(uint64_t i) const { return run == 0 ? count - i : run - i % run; }

  bool operator==(const StridedAxis&) const = default;
};

struct Slice {
  DType type = DType::kF32;
  uint64_t offset = 0;  // of the first element, in bytes of the tensor
  StridedAxis rows;
  StridedAxis cols;
  float origin = 0;  // what a stored 0 stands for

  bool operator==(const Slice&) const = default;
};

}  // namespace isoveil
