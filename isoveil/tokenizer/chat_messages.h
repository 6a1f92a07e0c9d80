// The form of OpenAI's messages and tools, checked before a template sees them.
//
//   ISOVEIL_RETURN_IF_ERROR(CheckMessages(request["messages"]));      // "messages[2].content: expected ..."
//
// llama.cpp checks them too, but quotes the message in its complaint.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// kInvalidArgument names the place and what was expected; kUnsupported for images, sound and files.
// Arguments of calls are JSON within a string, nested kMaxNesting deep at most: templates and parsers recurse.
Status CheckMessages(const nlohmann::ordered_json& messages);
Status CheckTools(const nlohmann::ordered_json& tools);

// How deep texts of messages and answers may nest [ and {.
inline constexpr int kMaxNesting = 256;

// True if more brackets are open at some place than kMaxNesting, in a text that holds JSON or Python's lists from any
// place on: where its strings begin is not known, and so it is read in every way. Linear.
bool IsNestedTooDeep(std::string_view text);

}  // namespace isoveil
