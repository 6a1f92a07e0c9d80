// The request of Anthropic's POST /v1/messages as a chat request.
#pragma once

#include "isoveil/gateway/fields.h"

namespace isoveil {

// {"messages", "tools", "tool_choice", "parallel_tool_calls", "stop", "response_format", ...} with the names of chat
// completions, from `messages`, `system`, `tools`, `tool_choice`, `stop_sequences`, `thinking` and `output_config`.
// Turns of one role that follow each other become one turn. Errors name the member; kUnsupported for images, files,
// and tools that run on Anthropic's side.
// Source: Anthropic's Messages API, as its official clients write it.
Result<Json> ChatFromMessageRequest(const Json& body);

// The request ends in an assistant's turn, which the answer continues.
bool HasPrefill(const Json& body);

}  // namespace isoveil
