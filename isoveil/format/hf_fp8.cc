#include "isoveil/format/hf_fp8.h"

#include <map>
#include <set>
#include <string>

namespace isoveil {
namespace {

using nlohmann::ordered_json;

uint64_t Blocks(uint64_t n, uint64_t block) { return n / block + (n % block != 0 ? 1 : 0); }

// quantization_config.weight_block_size; nullopt if there is none.
std::optional<std::pair<uint64_t, uint64_t>> BlockSizeOf(const ordered_json& config) {
  const ordered_json settings = config.value("quantization_config", ordered_json());
  const ordered_json size = settings.is_object() ? settings.value("weight_block_size", ordered_json()) : ordered_json();
  if (!size.is_array() || size.size() != 2) return std::nullopt;
  for (const ordered_json& side : size) {
    if (!side.is_number_unsigned() || side == 0U) return std::nullopt;
  }
  return std::pair(size[0].get<uint64_t>(), size[1].get<uint64_t>());
}

Result<BlockScales> Fit(const TensorView& matrix, const TensorView& scale, const ordered_json& config) {
  const Shape& shape = matrix.info.shape;
  const Shape& found = scale.info.shape;
  const DType type = scale.info.type;
  const bool readable = IsPlainFloat(type) && type != DType::kF64;
  if (readable && shape.size() == 2 && ElementCount(shape) != 0U) {
    if (ElementCount(found) == 1U) return BlockScales{scale, shape[0], shape[1]};
    if (found == Shape{shape[0]} || found == Shape{shape[0], 1}) return BlockScales{scale, 1, shape[1]};
    const auto block = BlockSizeOf(config);
    if (block && found == Shape{Blocks(shape[0], block->first), Blocks(shape[1], block->second)})
      return BlockScales{scale, block->first, block->second};
  }
  return Fail(ErrorCode::kFormat, fmt::format("tensor {}", Quoted(scale.info.name)),
              fmt::format("expected one scale in F32, F16 or BF16, one for each row, or one for each block of "
                          "quantization_config.weight_block_size, for a matrix of {}; found {} {}",
                          ShapeName(shape), DTypeName(type), ShapeName(found)),
              "configuration and weights belong to different models");
}

}  // namespace

Result<std::vector<TensorView>> WithScales(std::vector<TensorView> stored, const ordered_json& config) {
  std::map<std::string, const TensorView*, std::less<>> by_name;
  for (const TensorView& tensor : stored) by_name[tensor.info.name] = &tensor;
  std::map<std::string, TensorView> scaled;
  std::set<std::string> taken;
  for (const TensorView& tensor : stored) {
    if (tensor.info.type != DType::kF8E4M3) continue;
    for (const char* ending : {"_scale", "_scale_inv"}) {
      const auto scale = by_name.find(tensor.info.name + ending);
      if (scale == by_name.end() || scaled.contains(tensor.info.name)) continue;
      ISOVEIL_ASSIGN_OR_RETURN(BlockScales scales, Fit(tensor, *scale->second, config));
      scaled.emplace(tensor.info.name, Scaled(tensor, std::move(scales)));
      taken.insert(scale->first);
    }
  }
  std::vector<TensorView> tensors;
  for (TensorView& tensor : stored) {
    if (taken.contains(tensor.info.name)) continue;
    const auto found = scaled.find(tensor.info.name);
    tensors.push_back(found == scaled.end() ? std::move(tensor) : found->second);
  }
  return tensors;
}

}  // namespace isoveil
