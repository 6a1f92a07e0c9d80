// Action::Apply: one pass over the panel for each stage.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "isoveil/algebra/action.h"
#include "isoveil/algebra/kernels.h"

namespace isoveil {
namespace {

template <typename T>
struct Panel {
  uint64_t begin;  // coordinate of the first line
  uint64_t count;
  T* data;
  size_t lanes;
  size_t stride;
  std::vector<T>& scratch;

  T* line(uint64_t coordinate) const { return data + (coordinate - begin) * stride; }
  // How many of the first `covered` coordinates of the space lie in the panel.
  uint64_t CoveredHere(uint64_t covered) const { return covered <= begin ? 0 : std::min(covered - begin, count); }
};

template <typename T>
void ApplyStage(const GatherStage& stage, const Panel<T>& p) {
  p.scratch.resize(p.count * p.lanes);
  for (uint64_t i = 0; i < p.count; ++i) {
    std::memcpy(&p.scratch[i * p.lanes], p.data + i * p.stride, p.lanes * sizeof(T));
  }
  for (uint64_t i = 0; i < p.count; ++i) {
    const uint64_t from = stage.source[p.begin + i] - p.begin;
    std::memcpy(p.data + i * p.stride, &p.scratch[from * p.lanes], p.lanes * sizeof(T));
  }
}

template <typename T>
void ApplyStage(const ScaleStage& stage, const Panel<T>& p) {
  ScaleLanes(p.data, stage.scale.data() + p.begin, p.count, p.lanes, p.stride);
}

template <typename T>
void ApplyStage(const PairStage& stage, const Panel<T>& p) {
  for (uint64_t i = p.begin; i < p.begin + p.count; ++i) {
    const uint64_t j = stage.partner[i];
    if (j == i) ScaleLanes(p.line(i), &stage.a[i], 1, p.lanes, p.stride);
    if (j > i) PairLanes(p.line(i), p.line(j), stage.a[i], stage.b[i], stage.a[j], stage.b[j], p.lanes);
  }
}

template <typename T>
void ApplyStage(const DenseStage& stage, const Panel<T>& p) {
  p.scratch.resize(stage.block * p.lanes);
  for (uint64_t i = 0; i < p.count; i += stage.block) {
    const double* matrix = stage.matrices.data() + (p.begin + i) * stage.block;
    T* block = p.data + i * p.stride;
    DenseLanes(matrix, stage.block, block, p.stride, p.scratch.data(), p.lanes);
    for (uint64_t r = 0; r < stage.block; ++r) {
      std::memcpy(block + r * p.stride, &p.scratch[r * p.lanes], p.lanes * sizeof(T));
    }
  }
}

template <typename T>
void ApplyStage(const HadamardStage& stage, const Panel<T>& p) {
  HadamardRuns(p.data, size_t{1} << stage.log2_run, p.CoveredHere(stage.covered), p.lanes, p.stride);
}

template <typename T>
void ApplyStage(const OddFactorStage& stage, const Panel<T>& p) {
  const uint64_t group = stage.factor * stage.run;
  p.scratch.resize(stage.factor * p.lanes);
  for (uint64_t begin = 0; begin < p.CoveredHere(stage.covered); begin += group) {
    for (uint64_t i = 0; i < stage.run; ++i) {
      T* first = p.data + (begin + i) * p.stride;
      const size_t step = stage.run * p.stride;
      DenseLanes(stage.matrix.data(), stage.factor, first, step, p.scratch.data(), p.lanes);
      for (uint64_t f = 0; f < stage.factor; ++f) {
        std::memcpy(first + f * step, &p.scratch[f * p.lanes], p.lanes * sizeof(T));
      }
    }
  }
}

// x - v (2 v.x / v.v) with v = ones/sqrt(n) - e_0; the sums over all coordinates are kept in double.
template <typename T>
void ApplyStage(const OnesReflectionStage&, const Panel<T>& p) {
  if (p.count < 2) return;
  const auto n = static_cast<double>(p.count);
  const double each = 1 / std::sqrt(n);
  const double norm = 2 - 2 * each;  // v.v
  std::vector<double> product(p.lanes, 0.0);
  for (uint64_t i = 0; i < p.count; ++i) {
    const T* line = p.data + i * p.stride;
    const double v = i == 0 ? each - 1 : each;
    for (size_t l = 0; l < p.lanes; ++l) product[l] += v * line[l];
  }
  for (uint64_t i = 0; i < p.count; ++i) {
    T* line = p.data + i * p.stride;
    const double factor = 2 * (i == 0 ? each - 1 : each) / norm;
    for (size_t l = 0; l < p.lanes; ++l) line[l] = static_cast<T>(line[l] - factor * product[l]);
  }
}

}  // namespace

template <typename T>
void Action::ApplyRange(uint64_t begin, uint64_t count, T* panel, size_t lanes, size_t stride,
                        std::vector<T>& scratch) const {
  const Panel<T> p{begin, count, panel, lanes, stride, scratch};
  for (const ActionStage& stage : *stages_) {
    std::visit([&](const auto& s) { ApplyStage(s, p); }, stage);
  }
}

template <typename T>
void Action::Apply(T* panel, size_t lanes, size_t stride, std::vector<T>& scratch) const {
  ApplyRange(0, dim_, panel, lanes, stride, scratch);
}

template void Action::Apply(float*, size_t, size_t, std::vector<float>&) const;
template void Action::Apply(double*, size_t, size_t, std::vector<double>&) const;
template void Action::ApplyRange(uint64_t, uint64_t, float*, size_t, size_t, std::vector<float>&) const;
template void Action::ApplyRange(uint64_t, uint64_t, double*, size_t, size_t, std::vector<double>&) const;

}  // namespace isoveil
