#include "isoveil/package/label_head.h"

#include <algorithm>
#include <cmath>

#include "isoveil/tensor/dtype.h"

namespace isoveil {
namespace {

const TensorView* FindTensor(const SafetensorsFile& file, const std::string& name) {
  const auto tensors = file.tensors();
  const auto it = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.info.name == name; });
  return it == tensors.end() ? nullptr : &*it;
}

tl::unexpected<Error> BadTensor(const std::string& file, const std::string& tensor, std::string problem) {
  return Fail(ErrorCode::kFormat, fmt::format("{}: tensor {}", file, Quoted(tensor)), std::move(problem),
              "encrypt the model again");
}

Result<std::vector<float>> Floats(const TensorView& tensor, const std::string& file) {
  uint64_t n = 1;
  for (const uint64_t dim : tensor.info.shape) n *= dim;
  if (!IsPlainFloat(tensor.info.type)) return BadTensor(file, tensor.info.name, "is not of plain floats");
  std::vector<float> values(n);
  ToFloat(tensor.info.type, tensor.bytes, values);
  return values;
}

// As transformers computes them: GELU by the error function.
double Activated(HeadFunction function, double x) {
  switch (function) {
    case HeadFunction::kNone: return x;
    case HeadFunction::kTanh: return std::tanh(x);
    case HeadFunction::kRelu: return std::max(x, 0.0);
    case HeadFunction::kGelu: return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  }
  return x;
}

}  // namespace

Result<LabelHead::Layer> LabelHead::ReadLayer(const SafetensorsFile& file, const std::string& name,
                                              const HeadLayer& layer, uint64_t inputs) {
  const std::string weight_name = layer.role + ".weight";
  const TensorView* weight = FindTensor(file, weight_name);
  if (weight == nullptr) return BadTensor(name, weight_name, "is missing");
  const Shape& shape = weight->info.shape;
  if (shape.size() != 2 || shape[0] == 0 || shape[1] != inputs) {
    return BadTensor(name, weight_name, fmt::format("expected shape [n, {}], found {}", inputs, ShapeName(shape)));
  }
  Layer read{.inputs = inputs, .weight = {}, .bias = std::vector<float>(shape[0]), .function = layer.function};
  ISOVEIL_ASSIGN_OR_RETURN(read.weight, Floats(*weight, name));
  const TensorView* bias = FindTensor(file, layer.role + ".bias");
  if (bias == nullptr) return read;
  if (bias->info.shape != Shape{shape[0]}) {
    return BadTensor(name, bias->info.name,
                     fmt::format("expected shape [{}], found {}", shape[0], ShapeName(bias->info.shape)));
  }
  ISOVEIL_ASSIGN_OR_RETURN(read.bias, Floats(*bias, name));
  return read;
}

Result<LabelHead> LabelHead::Open(const Path& path, const ClientHead& head, const Ports& ports) {
  ISOVEIL_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  return FromFile(file, path.string(), head, ports);
}

Result<LabelHead> LabelHead::FromFile(const SafetensorsFile& file, const std::string& name, const ClientHead& head,
                                      const Ports& ports) {
  const SpaceRecord* labels = ports.SpaceOf(PortKind::kLabels);
  const auto input = std::find_if(ports.list.begin(), ports.list.end(), [&](const Port& port) {
    return port.kind == PortKind::kVectors && port.name == head.input;
  });
  if (labels == nullptr || input == ports.list.end() || head.layers.empty()) {
    return Fail(ErrorCode::kFormat, name, "belongs to a model whose manifest has no ports for it",
                "encrypt the model again");
  }
  LabelHead read;
  read.input_ = head.input;
  uint64_t width = ports.FindSpace(input->space)->dim;
  for (const HeadLayer& layer : head.layers) {
    ISOVEIL_ASSIGN_OR_RETURN(Layer one, ReadLayer(file, name, layer, width));
    width = one.bias.size();
    read.layers_.push_back(std::move(one));
  }
  if (width == labels->dim) return read;
  return BadTensor(name, head.layers.back().role + ".weight",
                   fmt::format("expected {} rows, one for each label, found {}", labels->dim, width));
}

Result<std::vector<double>> LabelHead::Apply(std::span<const double> vector) const {
  if (vector.size() != layers_.front().inputs) {
    return Fail(ErrorCode::kInvalidArgument, "vector",
                fmt::format("expected {} numbers, found {}", layers_.front().inputs, vector.size()));
  }
  std::vector<double> x(vector.begin(), vector.end());
  for (const Layer& layer : layers_) {
    std::vector<double> y(layer.bias.begin(), layer.bias.end());
    for (size_t row = 0; row < y.size(); ++row) {
      const float* weights = layer.weight.data() + row * layer.inputs;
      for (size_t i = 0; i < layer.inputs; ++i) y[row] += weights[i] * x[i];
      y[row] = Activated(layer.function, y[row]);
    }
    x = std::move(y);
  }
  return x;
}

}  // namespace isoveil
