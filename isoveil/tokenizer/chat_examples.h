// Example questions of a model, for the chat page: "chat_examples.json" beside the model, and in the client's folder.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> examples, ReadChatExamples("models/front-desk"));
//
// They are no part of the model's identity: other questions do not make another model.
#pragma once

#include <string>
#include <vector>

#include "isoveil/base/file.h"

namespace isoveil {

inline constexpr char kChatExamplesFile[] = "chat_examples.json";

// None where the folder has no such file. Anything but an array of at most 8 strings of 1 to 500 bytes is kFormat.
Result<std::vector<std::string>> ReadChatExamples(const Path& folder);

}  // namespace isoveil
