// The request of POST /v1/responses as a chat request.
#pragma once

#include "isoveil/gateway/fields.h"

namespace isoveil {

// {"messages": [...], "tools": [...], "tool_choice": ...} from `input`, `instructions`, `tools` and `tool_choice`.
// Text, calls of functions and of other tools of the application, and their outputs are understood; earlier reasoning
// is left out; tools of kinds that run elsewhere are skipped; references must have been replaced
// (ResponseStore::Expand). kUnsupported for stored conversations and prompts, images and files.
Result<Json> ChatFromResponseRequest(const Json& body);

}  // namespace isoveil
