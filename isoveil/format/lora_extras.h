// What lies beside an adapter's weights and is not merged: PEFT's trainers save tokenizer and chat template with them.
//
//   for (const std::string& warning : WarnOfLoraExtras("my-adapter", "model")) Show(warning);
#pragma once

#include <string>
#include <vector>

#include "isoveil/base/file.h"

namespace isoveil {

// One for each of tokenizer and chat template in the adapter's folder that is not the model's own.
std::vector<std::string> WarnOfLoraExtras(const Path& adapter, const Path& model);

}  // namespace isoveil
