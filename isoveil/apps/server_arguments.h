// What llama-server has to be told about a model besides where it is.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const auto arguments, ServerArguments("out/server/model.gguf", {"-ngl", "99"}));
//   // of an encoder: {"--embeddings", "-b", "512", "-ub", "512", "-ngl", "99"}
#pragma once

#include <string>
#include <vector>

#include "isoveil/base/file.h"

namespace isoveil {

// `extra` at the end, so that it wins. An encoder gives vectors only when asked to at its start, and takes a text in
// one batch: as long as its context, up to 8192. The errors of Checkpoint::Open.
Result<std::vector<std::string>> ServerArguments(const Path& gguf, const std::vector<std::string>& extra);

}  // namespace isoveil
