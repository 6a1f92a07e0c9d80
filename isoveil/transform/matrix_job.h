// Transforms one weight: reads a matrix slice, folds, acts on both axes, writes a matrix slice.
//
//   ISOVEIL_ASSIGN_OR_RETURN(MatrixJob job, MatrixJob::Prepare(spec, scratch_bytes));
//   for (size_t panel = 0; panel < job.n_panels(); ++panel)
//     ISOVEIL_RETURN_IF_ERROR(job.Run(panel, scratch, write));
//
// The target is g_rows X g_cols^T for X = diag(row_gain) W diag(col_gain) / divisor + addend, with gains,
// divisor and addend in source coordinates. It is produced in panels: whole rows of the target when the
// row action only moves rows, whole columns when it mixes them, so that memory stays within
// `scratch_bytes` whatever the size of the weight.
//
// Two ways of working, chosen in Prepare:
//   move     both actions are monomial and nothing is folded: elements or blocks are copied, signs flipped,
//            exponents shifted; no bit else changes, and a shift that would lose bits is an error
//   compute  in fp32, rounded once into the target's type
//
// A job is immutable; panels may run in any order on any thread, each with its own scratch.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "isoveil/algebra/action.h"
#include "isoveil/tensor/slice.h"

namespace isoveil {

struct MatrixJobSpec {
  std::string name;  // of the weight, for errors
  std::span<const std::byte> source_bytes;
  Slice source;
  Slice target;                 // of the same rows and cols; offsets within the target tensor
  Action rows;                  // of dimension source.rows.count
  Action cols;                  // of dimension source.cols.count
  std::vector<float> row_gain;  // empty for ones
  std::vector<float> col_gain;  // empty for ones
  std::vector<float> divisor;   // of a vector's columns; empty for ones
  std::vector<float> addend;    // to a vector's columns; empty for zeros
  bool requantize = false;      // a block format may be decoded and quantised again
};

// Receives `bytes` of the target at `offset` within its tensor.
using PanelWriter = std::function<Status(uint64_t offset, std::span<const std::byte> bytes)>;

// Buffers that a thread reuses between panels.
struct PanelScratch {
  std::vector<float> panel;        // the panel in fp32, row by row
  std::vector<float> tile;         // a few of its lines, side by side, for an action along them
  std::vector<float> work;         // of Action::Apply
  std::vector<float> row;          // a decoded source row
  std::vector<std::byte> encoded;  // gathered source elements
  std::vector<std::byte> out;      // target bytes
};

class MatrixJob {
 public:
  // kUnsupported if the actions would break blocks of a block format, or mix a type that has no
  // arithmetic here; kNoMemory if one panel does not fit in `scratch_bytes`.
  static Result<MatrixJob> Prepare(MatrixJobSpec spec, uint64_t scratch_bytes);

  size_t n_panels() const;
  Status Run(size_t panel, PanelScratch& scratch, const PanelWriter& write) const;

 private:
  struct State;
  explicit MatrixJob(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace isoveil
