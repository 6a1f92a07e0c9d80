#include "isoveil/transform/weight_job.h"

#include <cmath>

#include "isoveil/tensor/computed.h"

namespace isoveil {
namespace {

std::vector<float> ReadRow(const BoundSlice& bound, uint64_t row) {
  const Slice& slice = bound.slice;
  const std::byte* begin = bound.tensor->bytes.data() + slice.offset + slice.rows.Offset(row);
  std::vector<float> values(slice.cols.count);
  const uint64_t element = BlockBytes(slice.type);
  if (IsBlockFormat(slice.type) || slice.cols == StridedAxis{.count = slice.cols.count, .stride = element}) {
    ToFloat(slice.type, {begin, *RowBytes(slice.type, slice.cols.count)}, values);
  } else {
    for (uint64_t c = 0; c < slice.cols.count; ++c) {
      ToFloat(slice.type, {begin + slice.cols.Offset(c), element}, {&values[c], 1});
    }
  }
  for (float& value : values) value += slice.origin;
  return values;
}

// W v in fp64.
std::vector<float> Multiply(const BoundSlice& matrix, std::span<const float> vector) {
  std::vector<float> product;
  for (uint64_t r = 0; r < matrix.slice.rows.count; ++r) {
    const std::vector<float> row = ReadRow(matrix, r);
    double sum = 0;
    for (size_t c = 0; c < row.size(); ++c) sum += static_cast<double>(row[c]) * vector[c];
    product.push_back(static_cast<float>(sum));
  }
  return product;
}

Status Compute(const TensorView& tensor, std::span<std::byte> out, const std::atomic<bool>* cancel) {
  const RowReader reader(tensor);
  const uint64_t rows = tensor.info.shape[0];
  const uint64_t row_bytes = out.size() / rows;
  for (uint64_t row = 0; row < rows; ++row) {
    if (cancel != nullptr && *cancel) return Fail(ErrorCode::kCancelled, "", "stopped on request");
    ISOVEIL_RETURN_IF_ERROR(reader.Read(row, out.subspan(row * row_bytes, row_bytes)));
  }
  return Ok();
}

Status CheckDivision(const Weight& weight, std::span<const float> values, std::span<const float> divisor) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (divisor[i] == 0.0F && values[i] != 0.0F) {
      return Fail(ErrorCode::kUnsupported, fmt::format("weight {}", weight.role),
                  fmt::format("coordinate {} has a bias but no gain, so the bias cannot stay in the norm", i),
                  "use --profile exact, which folds nothing");
    }
  }
  return Ok();
}

}  // namespace

std::vector<float> ReadVector(const BoundSlice& slice) { return ReadRow(slice, 0); }

PartPlan Arriving(const Graph& graph, const AxisActions& actions, PartPlan part) {
  const std::optional<SetMember>& member = part.weight->member;
  if (!member) return part;
  const std::optional<Monomial> moved = actions.Along(member->set).AsMonomial();
  part.weight = &graph.Sibling(*part.weight, moved->source[member->index]);
  return part;
}

std::vector<const TensorView*> SourcesOf(const BoundModel& model, const PartPlan& part) {
  std::vector<const TensorView*> sources;
  const Weight& weight = *part.weight;
  for (const std::string* role :
       {&weight.source, &weight.gain, &weight.divisor, &weight.plus_matrix, &weight.plus_vector}) {
    if (!role->empty()) sources.push_back(model.slices.at(*role).tensor);
  }
  return sources;
}

Result<TensorSources> TensorSources::Open(const BoundModel& model, std::span<const PartPlan> parts, const Path& scratch,
                                          const std::atomic<bool>* cancel) {
  TensorSources sources(model);
  for (const PartPlan& part : parts) {
    if (part.weight->constant) continue;
    for (const TensorView* tensor : SourcesOf(model, part)) {
      if (!tensor->computed || sources.held_.contains(tensor)) continue;
      ISOVEIL_ASSIGN_OR_RETURN(ScratchFile file,
                               ScratchFile::Create(scratch, *TensorBytes(tensor->info.type, tensor->info.shape)));
      ISOVEIL_RETURN_IF_ERROR(Compute(*tensor, file.bytes(), cancel));
      const TensorView view{tensor->info, file.bytes()};
      sources.held_.emplace(tensor, Held{std::move(file), view});
    }
  }
  return sources;
}

BoundSlice TensorSources::at(std::string_view role) const {
  const BoundSlice& bound = model_->slices.find(role)->second;
  const auto held = held_.find(bound.tensor);
  return held == held_.end() ? bound : BoundSlice{&held->second.view, bound.slice};
}

Result<MatrixJobSpec> SpecifyWeight(const TensorSources& sources, const AxisActions& actions, const PartPlan& part,
                                    bool recode) {
  const Weight& weight = *part.weight;
  const BoundSlice source = sources.at(weight.source);
  const bool matrix = weight.axes.size() == 2;
  MatrixJobSpec spec{.name = weight.role,
                     .source_bytes = source.tensor->bytes,
                     .source = source.slice,
                     .target = part.target,
                     .rows = matrix ? actions.Along(weight.axes[0]) : Action::Identity(1),
                     .cols = actions.Along(weight.axes.back()),
                     .row_gain = {},
                     .col_gain = {},
                     .divisor = {},
                     .addend = {},
                     .requantize = recode};
  if (!weight.gain.empty()) spec.col_gain = ReadVector(sources.at(weight.gain));
  if (!weight.divisor.empty()) {
    spec.divisor = ReadVector(sources.at(weight.divisor));
    ISOVEIL_RETURN_IF_ERROR(CheckDivision(weight, ReadVector(source), spec.divisor));
  }
  if (!weight.plus_vector.empty()) {
    spec.addend = Multiply(sources.at(weight.plus_matrix), ReadVector(sources.at(weight.plus_vector)));
  }
  return spec;
}

}  // namespace isoveil
