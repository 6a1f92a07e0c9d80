#include "isoveil/transform/label_head_file.h"

#include <algorithm>

namespace isoveil {

Result<std::string> LabelHeadFile(const BoundModel& model) {
  std::vector<TensorInfo> infos;
  std::string data;
  for (const HeadLayer& layer : model.client_head->layers) {
    for (const std::string& role : {layer.role + ".weight", layer.role + ".bias"}) {
      const auto it = std::find_if(model.tensors.begin(), model.tensors.end(), [&](const BoundTensor& bound) {
        return bound.stored.roles == std::vector<std::string>{role};
      });
      if (it == model.tensors.end()) continue;
      const TensorView& tensor = *it->tensor;
      if (!IsPlainFloat(tensor.info.type) || tensor.computed != nullptr) {
        return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(tensor.info.name)),
                    fmt::format("is of {}, and the client applies plain floats", DTypeName(tensor.info.type)),
                    "save the model in F32, F16 or BF16");
      }
      infos.push_back({role, tensor.info.type, tensor.info.shape});
      data.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    }
  }
  ISOVEIL_ASSIGN_OR_RETURN(const FileLayout layout, LayOutSafetensors(infos, {{"format", "pt"}}));
  return layout.header + data;
}

}  // namespace isoveil
