// The form of OpenAI's messages and tools, checked before a template sees them.
//
//   ISOVEIL_RETURN_IF_ERROR(CheckMessages(request["messages"]));      // "messages[2].content: expected ..."
//
// llama.cpp checks them too, but quotes the message in its complaint.
#pragma once

#include <nlohmann/json.hpp>

#include "isoveil/base/result.h"

namespace isoveil {

// kInvalidArgument names the place and what was expected; kUnsupported for images, sound and files.
Status CheckMessages(const nlohmann::ordered_json& messages);
Status CheckTools(const nlohmann::ordered_json& tools);

}  // namespace isoveil
