// Where a chat template takes instructions, and conversations made to fit.
//
//   const SystemPlaces places = FindSystemPlaces(chat);          // once for a template
//   FitSystemMessages(places, messages);                         // before it is rendered
//
// Clients send several system and developer messages, and some in mid conversation; templates of the strict kind (Qwen
// 3.5) refuse all but one at the beginning, and careless ones leave the others out without a word. What the template
// takes as it is stays as it is; what it does not goes to the end of the first system message, in order, with an empty
// line between.
#pragma once

#include "isoveil/gateway/fields.h"
#include "isoveil/tokenizer/chat_template.h"

namespace isoveil {

// The defaults leave every conversation as it is.
struct SystemPlaces {
  bool several = true;  // more than one at the beginning
  bool late = true;     // after a user's message
  bool parts = true;    // contents as lists of parts, beside a system message
};

// Tries conversations of each kind, and looks for their words in the prompts.
SystemPlaces FindSystemPlaces(const ChatTemplate& chat);

// `messages` is a list; what is malformed in it is left for the template's own check.
void FitSystemMessages(const SystemPlaces& places, Json& messages);

// Puts `text` at the end of the first system message, or before everything.
void AppendToSystem(Json& messages, const std::string& text);

}  // namespace isoveil
