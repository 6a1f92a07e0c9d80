// Typed reading of a Hugging Face config.json: nothing throws, and an error names the field.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const double theta, ConfigNumber(config, "rope_theta", 10000));
//
// A field that is absent or null has its default, as in transformers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// kFormat unless it is a number.
Result<double> ConfigNumber(const nlohmann::json& object, std::string_view field, double otherwise);
// kFormat unless it is an integer in [0, 2^32).
Result<uint32_t> ConfigCount(const nlohmann::json& object, std::string_view field, uint64_t otherwise);
// kFormat unless it is a string.
Result<std::string> ConfigText(const nlohmann::json& object, std::string_view field, std::string_view otherwise);

}  // namespace isoveil
