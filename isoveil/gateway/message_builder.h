// The text of an answer to the parts of an assistant's message, as it arrives.
//
//   MessageBuilder builder(prompt);
//   MessageDelta delta = builder.Append("Hel");
//   ISOVEIL_ASSIGN_OR_RETURN(MessageDelta last, builder.Finish());
//   Json message = builder.message();
//
// The deltas, put together, are the message. Where the template gives answers no form of their own the text is the
// content. Elsewhere llama.cpp's parser for the template reads the whole text again and again, but not for every piece:
// plain text within content, a thought or a string of a call grows by itself, and what is left has a budget for each
// piece, so that the cost of a token does not grow with the answer. Not thread-safe.
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
  explicit MessageBuilder(const RenderedPrompt& prompt)
      : parser_(prompt.parser),
        verbatim_(prompt.verbatim),
        markers_(prompt.markers),
        longest_marker_(prompt.longest_marker) {}

  MessageDelta Append(std::string_view text);
  // An answer that breaks its form at the end keeps what was understood; one that was never understood is content.
  MessageDelta Finish();

  // {"role": "assistant", "content": ..., "reasoning_content": ..., "tool_calls": [...]}
  Json message() const;
  const std::string& content() const { return content_; }
  bool has_reasoning() const { return !reasoning_.empty(); }
  bool has_calls() const { return !calls_.empty(); }
  // How much text was read by the parser so far, every reading counted.
  size_t parsed_bytes() const { return parsed_bytes_; }

 private:
  struct Call {
    std::string id, name, arguments;
  };
  // Where the text goes that comes next, as far as it is plain.
  enum class Tail { kUnknown, kContent, kReasoning, kArguments };
  MessageDelta Take(const Json& parsed);
  void TakeCalls(const Json& list, MessageDelta& delta);
  bool IsPlain(std::string_view text) const;
  MessageDelta GrowTail(std::string_view text);
  void FindTail();

  ChatParser parser_;
  bool verbatim_;
  std::string markers_;
  size_t longest_marker_;
  Tail tail_ = Tail::kUnknown;
  std::string spaces_;        // at the end of the text: content may end before them
  size_t budget_ = 64 << 10;  // bytes that may be parsed again
  size_t parsed_bytes_ = 0;
  std::string text_;
  std::string content_;
  std::string reasoning_;
  std::vector<Call> calls_;
};

// An id for a tool call, a message or a request: the prefix and 24 random letters and digits.
std::string RandomId(std::string_view prefix);

}  // namespace isoveil
