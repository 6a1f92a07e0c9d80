// Hugging Face folders of quant_method "fp8": matrices of F8_E4M3 with scales beside them, "X.weight_scale" or
// "X.weight_scale_inv" (both are factors): one for the tensor, one for each row, or one for each block.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const std::vector<TensorView> tensors, WithScales(stored, config));
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/tensor/computed.h"

namespace isoveil {

// The tensors with each scaled matrix as a computed one of BF16, rounded once, and without the scales that it took. A
// matrix without scales stays what it is. kFormat if the scales do not fit.
Result<std::vector<TensorView>> WithScales(std::vector<TensorView> stored, const nlohmann::ordered_json& config);

}  // namespace isoveil
