#include "isoveil/transform/matrix_job.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "isoveil/algebra/kernels.h"
#include "isoveil/transform/move_job.h"

namespace isoveil {
namespace {

constexpr uint64_t kTileLanes = 16;         // rows that share one pass of a column action
constexpr uint64_t kColumnLanes = 32;       // columns that share one pass of a row action
constexpr uint64_t kPanelFloats = 1 << 17;  // stays in the second-level cache between its passes
// One write of a moved panel: it stays in the second-level cache between gather and write.
constexpr uint64_t kMoveBytes = 256 << 10;

// One factor of the work on an axis: a gather, then a diagonal, then whatever keeps to blocks.
struct AxisWork {
  std::vector<uint32_t> source;
  std::vector<float> scale;  // empty for ones
  Action rest;
  uint64_t block;
  bool contiguous;  // source is the identity

  static AxisWork Of(const Action& action);
};

AxisWork AxisWork::Of(const Action& action) {
  AxisWork work{.source = {}, .scale = {}, .rest = Action::Identity(action.dim()), .block = 1, .contiguous = false};
  if (std::optional<Monomial> monomial = action.AsMonomial()) {
    work.source = std::move(monomial->source);
    if (std::any_of(monomial->scale.begin(), monomial->scale.end(), [](double s) { return s != 1.0; })) {
      work.scale.assign(monomial->scale.begin(), monomial->scale.end());
    }
  } else {
    Action::Split split = action.SplitLeadingGather();
    work.source = std::move(split.source);
    work.rest = std::move(split.rest);
    work.block = split.block;
  }
  work.contiguous = true;
  for (size_t i = 0; i < work.source.size(); ++i) work.contiguous &= work.source[i] == i;
  return work;
}

std::vector<float> Gathered(std::span<const float> values, std::span<const uint32_t> source) {
  std::vector<float> out;
  if (!values.empty()) {
    for (const uint32_t i : source) out.push_back(values[i]);
  }
  return out;
}

struct Panel {
  uint64_t row, rows, col, cols;
};

std::vector<Panel> Cut(uint64_t rows, uint64_t cols, uint64_t panel_rows, uint64_t panel_cols) {
  std::vector<Panel> panels;
  for (uint64_t r = 0; r < rows; r += panel_rows) {
    for (uint64_t c = 0; c < cols; c += panel_cols) {
      panels.push_back({r, std::min(panel_rows, rows - r), c, std::min(panel_cols, cols - c)});
    }
  }
  return panels;
}

uint64_t RoundDown(uint64_t value, uint64_t step) { return value / step * step; }

// A target whose rows are not consecutive is written along its other axis.
void OrientToTarget(MatrixJobSpec& spec) {
  if (spec.target.cols.stride <= spec.target.rows.stride || spec.target.rows.count == 1) return;
  for (Slice* slice : {&spec.source, &spec.target}) std::swap(slice->rows, slice->cols);
  std::swap(spec.rows, spec.cols);
  std::swap(spec.row_gain, spec.col_gain);
}

uint64_t TargetBytes(const Slice& target, uint64_t cols) { return *RowBytes(target.type, cols); }

// Part of a target row, run by run.
Status WriteRow(const Slice& target, uint64_t begin, uint64_t col, std::span<const std::byte> out,
                const PanelWriter& write) {
  if (target.cols.run == 0) return write(begin + TargetBytes(target, col), out);
  for (const uint64_t element = BlockBytes(target.type); !out.empty();) {
    const uint64_t n = std::min<uint64_t>(target.cols.Run(col), out.size() / element);
    ISOVEIL_RETURN_IF_ERROR(write(begin + target.cols.Offset(col), out.first(n * element)));
    out = out.subspan(n * element);
    col += n;
  }
  return Ok();
}

// Writes a finished panel: as many rows at once as are whole and consecutive.
Status WritePanel(const Slice& target, const Panel& panel, std::span<const std::byte> out, const PanelWriter& write) {
  const uint64_t row_bytes = TargetBytes(target, panel.cols);
  const bool consecutive = row_bytes == target.rows.stride && target.cols.run == 0;
  for (uint64_t r = 0; r < panel.rows;) {
    const uint64_t n = consecutive ? std::min(target.rows.Run(panel.row + r), panel.rows - r) : 1;
    const uint64_t begin = target.offset + target.rows.Offset(panel.row + r);
    ISOVEIL_RETURN_IF_ERROR(WriteRow(target, begin, panel.col, out.subspan(r * row_bytes, n * row_bytes), write));
    r += n;
  }
  return Ok();
}

}  // namespace

struct MatrixJob::State {
  MatrixJobSpec spec{.name = {},
                     .source_bytes = {},
                     .source = {},
                     .target = {},
                     .rows = Action::Identity(0),
                     .cols = Action::Identity(0)};
  std::vector<Panel> panels;

  // The moving way.
  bool moves = false;
  SignedMove row_move;
  SignedMove col_move;
  std::vector<uint32_t> block_move;

  // The computing way; vectors in target coordinates.
  AxisWork row_work{{}, {}, Action::Identity(0), 1, true};
  AxisWork col_work{{}, {}, Action::Identity(0), 1, true};
  std::vector<float> row_gain;
  std::vector<float> col_gain;
  std::vector<float> divisor;
  std::vector<float> addend;

  bool TryMove();
  Status PrepareCompute(uint64_t scratch_bytes);
  Status Move(const Panel& panel, PanelScratch& scratch, const PanelWriter& write) const;
  Status Compute(const Panel& panel, PanelScratch& scratch, const PanelWriter& write) const;
  void LoadRow(uint64_t row, const Panel& panel, PanelScratch& scratch, float* out) const;
  void Widen(const std::byte* bytes, float* out, uint64_t n) const;
  void ActOnCols(const Panel& panel, PanelScratch& scratch) const;
  void ActOnRows(const Panel& panel, PanelScratch& scratch) const;
  Status Narrow(std::span<const float> values, std::span<std::byte> out) const;
};

Result<MatrixJob> MatrixJob::Prepare(MatrixJobSpec spec, uint64_t scratch_bytes) {
  OrientToTarget(spec);
  auto state = std::make_shared<State>();
  state->spec = std::move(spec);
  if (!state->TryMove()) ISOVEIL_RETURN_IF_ERROR(state->PrepareCompute(scratch_bytes));
  return MatrixJob(std::move(state));
}

size_t MatrixJob::n_panels() const { return state_->panels.size(); }

Status MatrixJob::Run(size_t panel, PanelScratch& scratch, const PanelWriter& write) const {
  const Panel& p = state_->panels[panel];
  Status status = state_->moves ? state_->Move(p, scratch, write) : state_->Compute(p, scratch, write);
  if (!status) {
    Error error = std::move(status).error();
    if (error.code == ErrorCode::kUnsupported) {
      error.where = fmt::format("weight {}{}{}", state_->spec.name, error.where.empty() ? "" : ": ", error.where);
    }
    return tl::unexpected(std::move(error));
  }
  return Ok();
}

bool MatrixJob::State::TryMove() {
  const Slice& source = spec.source;
  if (source.type != spec.target.type || source.origin != spec.target.origin || !spec.row_gain.empty() ||
      !spec.col_gain.empty() || !spec.divisor.empty() || !spec.addend.empty()) {
    return false;
  }
  std::optional<SignedMove> rows = AsSignedMove(spec.rows);
  std::optional<SignedMove> cols = AsSignedMove(spec.cols);
  if (!rows || !cols) return false;
  if (IsBlockFormat(source.type)) {
    auto blocks = AsBlockMove(*cols, BlockSize(source.type));
    if (!blocks || !AsBlockMove(*rows, 1)) return false;
    block_move = *std::move(blocks);
  }
  // Stored values are moved as they are: a sign or a scale would act on the origin as well.
  if (source.origin != 0 && !(AsBlockMove(*rows, 1) && AsBlockMove(*cols, 1))) return false;
  row_move = *std::move(rows);
  col_move = *std::move(cols);
  moves = true;
  const uint64_t row_bytes = std::max<uint64_t>(TargetBytes(spec.target, source.cols.count), 1);
  panels = Cut(source.rows.count, source.cols.count, std::max<uint64_t>(kMoveBytes / row_bytes, 1), source.cols.count);
  return true;
}

Status MatrixJob::State::PrepareCompute(uint64_t scratch_bytes) {
  const Slice& source = spec.source;
  const std::string where = fmt::format("weight {}", spec.name);
  for (const DType type : {source.type, spec.target.type}) {
    if (IsBlockFormat(type) && !spec.requantize) {
      return Fail(ErrorCode::kUnsupported, where, fmt::format("the action would break blocks of {}", DTypeName(type)),
                  "pass --requantize, or encrypt the unquantised checkpoint and quantise the result");
    }
    if (!IsBlockFormat(type) && (!IsPlainFloat(type) || type == DType::kF64)) {
      return Fail(ErrorCode::kUnsupported, where, fmt::format("{} has no fp32 arithmetic", DTypeName(type)),
                  "convert the checkpoint to F32 or BF16");
    }
  }
  row_work = AxisWork::Of(spec.rows);
  col_work = AxisWork::Of(spec.cols);
  row_gain = Gathered(spec.row_gain, row_work.source);
  col_gain = Gathered(spec.col_gain, col_work.source);
  divisor = Gathered(spec.divisor, col_work.source);
  addend = Gathered(spec.addend, col_work.source);

  const uint64_t row_block = row_work.block;
  const uint64_t col_block = std::lcm(col_work.block, BlockSize(spec.target.type));
  const uint64_t budget = scratch_bytes / 12;  // fp32 panel, encoded output, slack for tiles
  if (row_block * col_block > budget) {
    return Fail(ErrorCode::kNoMemory, where,
                fmt::format("one panel of {} x {} needs {} MiB for each thread", row_block, col_block,
                            row_block * col_block * 12 / (1 << 20) + 1),
                "raise --memory or lower --threads");
  }
  // Whole rows when they fit: they are written at once. Else as many columns as fit, because every panel
  // of columns reads all rows again.
  uint64_t panel_cols = source.cols.count;
  uint64_t panel_rows = row_block;
  if (row_block * source.cols.count <= budget) {
    const uint64_t wanted =
        std::clamp(kPanelFloats / std::max<uint64_t>(source.cols.count, 1), row_block, source.rows.count);
    panel_rows = std::max(row_block, RoundDown(std::min(wanted, budget / source.cols.count), row_block));
  } else {
    panel_cols = RoundDown(budget / row_block, col_block);
  }
  panels = Cut(source.rows.count, source.cols.count, panel_rows, panel_cols);
  return Ok();
}

Status MatrixJob::State::Move(const Panel& panel, PanelScratch& scratch, const PanelWriter& write) const {
  const uint64_t row_bytes = TargetBytes(spec.target, panel.cols);
  scratch.out.resize(panel.rows * row_bytes);
  const std::span<std::byte> out(scratch.out);
  for (uint64_t r = 0; r < panel.rows; ++r) {
    const std::span<std::byte> row = out.subspan(r * row_bytes, row_bytes);
    if (!block_move.empty()) {
      MoveBlockRow(spec.source_bytes, spec.source, row_move.source[panel.row + r], block_move, row);
    } else {
      ISOVEIL_RETURN_IF_ERROR(MoveRow(spec.source_bytes, spec.source, row_move, col_move, panel.row + r, row));
    }
  }
  return WritePanel(spec.target, panel, out, write);
}

Status MatrixJob::State::Compute(const Panel& panel, PanelScratch& scratch, const PanelWriter& write) const {
  scratch.panel.resize(panel.rows * panel.cols);
  for (uint64_t r = 0; r < panel.rows; ++r) {
    LoadRow(panel.row + r, panel, scratch, scratch.panel.data() + r * panel.cols);
  }
  if (!col_work.rest.IsIdentity()) ActOnCols(panel, scratch);
  if (!row_work.rest.IsIdentity()) ActOnRows(panel, scratch);

  if (spec.target.origin != 0) {
    for (float& value : scratch.panel) value -= spec.target.origin;
  }
  const uint64_t row_bytes = TargetBytes(spec.target, panel.cols);
  scratch.out.resize(panel.rows * row_bytes);
  for (uint64_t r = 0; r < panel.rows; ++r) {
    ISOVEIL_RETURN_IF_ERROR(Narrow(std::span(scratch.panel).subspan(r * panel.cols, panel.cols),
                                   std::span(scratch.out).subspan(r * row_bytes, row_bytes)));
  }
  return WritePanel(spec.target, panel, scratch.out, write);
}

void MatrixJob::State::Widen(const std::byte* bytes, float* out, uint64_t n) const {
  switch (spec.source.type) {
    case DType::kBF16: WidenBf16(reinterpret_cast<const uint16_t*>(bytes), out, n); break;
    default: ToFloat(spec.source.type, {bytes, *RowBytes(spec.source.type, n)}, {out, n});
  }
}

// Target row `row` of the panel's columns before the mixing part of either action.
void MatrixJob::State::LoadRow(uint64_t row, const Panel& panel, PanelScratch& scratch, float* out) const {
  const Slice& source = spec.source;
  const uint32_t source_row = row_work.source[row];
  const std::byte* bytes = spec.source_bytes.data() + source.offset + source.rows.Offset(source_row);
  const std::span<const uint32_t> cols(col_work.source.data() + panel.col, panel.cols);
  const uint64_t element = BlockBytes(source.type);
  const bool packed = IsBlockFormat(source.type) || (source.cols.stride == element && source.cols.run == 0);

  if (packed && col_work.contiguous && panel.cols == source.cols.count) {
    Widen(bytes, out, panel.cols);
  } else if (IsBlockFormat(source.type)) {
    scratch.row.resize(source.cols.count);
    Widen(bytes, scratch.row.data(), source.cols.count);
    for (uint64_t c = 0; c < panel.cols; ++c) out[c] = scratch.row[cols[c]];
  } else if (packed && element == sizeof(uint16_t)) {
    scratch.encoded.resize(panel.cols * element);
    Gather16(reinterpret_cast<const uint16_t*>(bytes), cols.data(), reinterpret_cast<uint16_t*>(scratch.encoded.data()),
             panel.cols);
    Widen(scratch.encoded.data(), out, panel.cols);
  } else {
    scratch.encoded.resize(panel.cols * element);
    for (uint64_t c = 0; c < panel.cols; ++c) {
      std::memcpy(scratch.encoded.data() + c * element, bytes + source.cols.Offset(cols[c]), element);
    }
    Widen(scratch.encoded.data(), out, panel.cols);
  }

  const auto each = [&](std::span<const float> factors, auto&& apply) {
    if (factors.empty()) return;
    for (uint64_t c = 0; c < panel.cols; ++c) out[c] = apply(out[c], factors[panel.col + c]);
  };
  if (source.origin != 0) {
    for (uint64_t c = 0; c < panel.cols; ++c) out[c] += source.origin;
  }
  each(col_gain, [](float value, float gain) { return value * gain; });
  each(divisor, [](float value, float by) { return value == 0.0F ? 0.0F : value / by; });
  each(addend, [](float value, float more) { return value + more; });
  each(col_work.scale, [](float value, float scale) { return value * scale; });
  float factor = row_gain.empty() ? 1.0F : row_gain[row];
  if (!row_work.scale.empty()) factor *= row_work.scale[row];
  if (factor != 1.0F) {
    for (uint64_t c = 0; c < panel.cols; ++c) out[c] *= factor;
  }
}

// Rows become lanes: an action along the columns is then a vector operation.
void MatrixJob::State::ActOnCols(const Panel& panel, PanelScratch& scratch) const {
  scratch.tile.resize(panel.cols * kTileLanes);
  for (uint64_t r = 0; r < panel.rows; r += kTileLanes) {
    const uint64_t lanes = std::min(kTileLanes, panel.rows - r);
    float* rows = scratch.panel.data() + r * panel.cols;
    Transpose(rows, panel.cols, lanes, panel.cols, scratch.tile.data(), kTileLanes);
    col_work.rest.ApplyRange(panel.col, panel.cols, scratch.tile.data(), lanes, kTileLanes, scratch.work);
    Transpose(scratch.tile.data(), kTileLanes, panel.cols, lanes, rows, panel.cols);
  }
}

// A few columns at a time are copied together, because a long stride would defeat the caches.
void MatrixJob::State::ActOnRows(const Panel& panel, PanelScratch& scratch) const {
  scratch.tile.resize(panel.rows * kColumnLanes);
  for (uint64_t c = 0; c < panel.cols; c += kColumnLanes) {
    const uint64_t lanes = std::min(kColumnLanes, panel.cols - c);
    for (uint64_t r = 0; r < panel.rows; ++r) {
      std::memcpy(&scratch.tile[r * kColumnLanes], &scratch.panel[r * panel.cols + c], lanes * sizeof(float));
    }
    row_work.rest.ApplyRange(panel.row, panel.rows, scratch.tile.data(), lanes, kColumnLanes, scratch.work);
    for (uint64_t r = 0; r < panel.rows; ++r) {
      std::memcpy(&scratch.panel[r * panel.cols + c], &scratch.tile[r * kColumnLanes], lanes * sizeof(float));
    }
  }
}

Status MatrixJob::State::Narrow(std::span<const float> values, std::span<std::byte> out) const {
  switch (spec.target.type) {
    case DType::kBF16: NarrowBf16(values.data(), reinterpret_cast<uint16_t*>(out.data()), values.size()); return Ok();
    case DType::kF16: {
      constexpr float kLargest = 65504.0F;
      for (const float value : values) {
        if (std::abs(value) > kLargest && std::isfinite(value)) {
          return Fail(ErrorCode::kUnsupported, "", fmt::format("the value {} does not fit in F16", value),
                      "convert the checkpoint to BF16, or use --profile exact");
        }
      }
      return FromFloat(spec.target.type, values, out);
    }
    default: return FromFloat(spec.target.type, values, out);
  }
}

}  // namespace isoveil
