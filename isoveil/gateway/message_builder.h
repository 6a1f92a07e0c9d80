// The text of an answer to the parts of an assistant's message, as it arrives.
//
//   MessageBuilder builder(prompt.parser, prompt.verbatim);
//   MessageDelta delta = builder.Append("Hel");
//   ISOVEIL_ASSIGN_OR_RETURN(MessageDelta last, builder.Finish());
//   Json message = builder.message();
//
// The deltas, put together, are the message. Where the template gives answers no form of their own the text is the
// content; elsewhere the whole text is parsed again with every piece, by llama.cpp's parser for the template.
// Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "isoveil/gateway/fields.h"
#include "isoveil/tokenizer/chat_template.h"

namespace isoveil {

// A tool call, or what was added to one: id and name come with the first part only.
struct ToolCallDelta {
  size_t index = 0;
  std::string id;
  std::string name;
  std::string arguments;
};

struct MessageDelta {
  std::string content;
  std::string reasoning;
  std::vector<ToolCallDelta> calls;

  bool empty() const { return content.empty() && reasoning.empty() && calls.empty(); }
};

class MessageBuilder {
 public:
  explicit MessageBuilder(const RenderedPrompt& prompt) : parser_(prompt.parser), verbatim_(prompt.verbatim) {}

  MessageDelta Append(std::string_view text);
  // An answer that breaks its form at the end keeps what was understood; one that was never understood is content.
  MessageDelta Finish();

  // {"role": "assistant", "content": ..., "reasoning_content": ..., "tool_calls": [...]}
  Json message() const;
  const std::string& content() const { return content_; }
  bool has_calls() const { return !calls_.empty(); }

 private:
  struct Call {
    std::string id, name, arguments;
  };
  MessageDelta Take(const Json& parsed);
  void TakeCalls(const Json& list, MessageDelta& delta);

  ChatParser parser_;
  bool verbatim_;
  std::string text_;
  std::string content_;
  std::string reasoning_;
  std::vector<Call> calls_;
};

// An id for a tool call, a message or a request: the prefix and 24 random letters and digits.
std::string RandomId(std::string_view prefix);

}  // namespace isoveil
