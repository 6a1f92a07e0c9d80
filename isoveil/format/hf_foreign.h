// Folders that look like a Hugging Face model and hold something else: quantised weights, a LoRA adapter.
// Each is refused by the name of what made it, with the commands that turn it into a model.
//
//   ISOVEIL_RETURN_IF_ERROR(RefuseQuantized(config, folder));
#pragma once

#include <nlohmann/json.hpp>

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"

namespace isoveil {

// kUnsupported if config.json, or the file of an older tool beside it, says that the weights are quantised
// (GPTQ, AWQ, bitsandbytes, compressed-tensors, ...), but for the plain FP8 that hf_fp8.h reads.
Status RefuseQuantized(const nlohmann::ordered_json& config, const Path& folder);

// kUnsupported if the folder holds an adapter of PEFT.
Status RefuseAdapter(const Path& folder);

}  // namespace isoveil
