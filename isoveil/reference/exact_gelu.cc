#include "isoveil/reference/exact_gelu.h"

#include <ggml-backend.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>

namespace isoveil {
namespace {

double Gelu(double x) {
  const double scale = std::sqrt(2 / std::numbers::pi);
  return 0.5 * x * (1 + std::tanh(scale * (x + 0.044715 * x * x * x)));
}

// What GELU is taken of, and what it is multiplied with: parts of the rows of two tensors, or of one.
struct Operands {
  const ggml_tensor* input;
  int64_t input_begin;
  const ggml_tensor* gate;  // none: GELU alone
  int64_t gate_begin;
};

std::optional<Operands> OperandsOf(const ggml_tensor& node) {
  if (node.op == GGML_OP_UNARY && ggml_get_unary_op(&node) == GGML_UNARY_OP_GELU)
    return Operands{node.src[0], 0, nullptr, 0};
  if (node.op != GGML_OP_GLU || ggml_get_glu_op(&node) != GGML_GLU_OP_GEGLU) return std::nullopt;
  if (node.src[1] != nullptr) return Operands{node.src[0], 0, node.src[1], 0};
  int32_t swapped = 0;  // the second of the operation's parameters
  std::memcpy(&swapped, node.op_params + 1, sizeof(swapped));
  const int64_t half = node.ne[0];
  return Operands{node.src[0], swapped != 0 ? half : 0, node.src[0], swapped != 0 ? 0 : half};
}

bool IsReadable(const ggml_tensor* tensor) {
  if (tensor == nullptr) return true;
  const bool here = tensor->buffer == nullptr || ggml_backend_buffer_is_host(tensor->buffer);
  return here && tensor->type == GGML_TYPE_F32 && tensor->nb[0] == sizeof(float);
}

// Row `i` of all rows, whatever axes they are counted by.
float* Row(const ggml_tensor& tensor, int64_t i) {
  const int64_t i1 = i % tensor.ne[1];
  const int64_t i2 = i / tensor.ne[1] % tensor.ne[2];
  const int64_t i3 = i / (tensor.ne[1] * tensor.ne[2]);
  auto* data = static_cast<char*>(tensor.data);
  return reinterpret_cast<float*>(data + static_cast<size_t>(i1) * tensor.nb[1] +
                                  static_cast<size_t>(i2) * tensor.nb[2] + static_cast<size_t>(i3) * tensor.nb[3]);
}

}  // namespace

bool ExactGelu::Evaluated(ggml_tensor* node, bool ask, void* exact_gelu) {
  auto& self = *static_cast<ExactGelu*>(exact_gelu);
  if (ask) return self.Ask(*node);
  if (!self.values_.empty()) self.Replace(*node);
  return true;
}

bool ExactGelu::Ask(const ggml_tensor& node) {
  if (resting_) return false;
  values_.clear();
  const auto operands = OperandsOf(node);
  if (!operands || !IsReadable(&node) || !IsReadable(operands->input) || !IsReadable(operands->gate)) return true;
  met_ = true;
  values_.reserve(static_cast<size_t>(ggml_nelements(&node)));
  for (int64_t row = 0; row < ggml_nrows(&node); ++row) {
    const float* input = Row(*operands->input, row) + operands->input_begin;
    const float* gate = operands->gate == nullptr ? nullptr : Row(*operands->gate, row) + operands->gate_begin;
    for (int64_t i = 0; i < node.ne[0]; ++i) {
      const double value = Gelu(input[i]);
      values_.push_back(static_cast<float>(gate == nullptr ? value : value * gate[i]));
    }
  }
  return true;
}

void ExactGelu::Replace(ggml_tensor& node) const {
  const float* values = values_.data();
  for (int64_t row = 0; row < ggml_nrows(&node); ++row, values += node.ne[0])
    std::memcpy(Row(node, row), values, static_cast<size_t>(node.ne[0]) * sizeof(float));
}

}  // namespace isoveil
