// What an answer must be beside words: JSON, JSON of a schema, a call of a tool.
//
//   ISOVEIL_ASSIGN_OR_RETURN(AnswerCheck check, AnswerCheck::FromRequest(body));
//   if (check.active()) ... ask again until check.Accepts(builder.content(), builder.has_calls());
//
// A server with a plain vocabulary would constrain the sampling by a grammar; here the tokens' texts are known on
// this side only, so the answer is checked after it is complete, and asked for again. Immutable.
#pragma once

#include <optional>

#include "isoveil/gateway/fields.h"
#include "isoveil/gateway/json_schema.h"

namespace isoveil {

class AnswerCheck {
 public:
  // Nothing is required of the answer.
  AnswerCheck() = default;
  // From `response_format` (chat) or `text.format` (responses). kInvalidArgument or kUnsupported for a format or schema
  // that is malformed or cannot be checked.
  static Result<AnswerCheck> FromFormat(const Json& format, const std::string& name);

  void RequireCall() { needs_call_ = true; }

  bool active() const { return is_json_ || needs_call_; }
  // What the model is told, to be put before the conversation; may be empty.
  const std::string& instruction() const { return instruction_; }
  // The JSON that is as required in an answer that says more than that, such as a code fence or a sentence around it;
  // an answer without any comes back as it is.
  std::string Extract(const std::string& content) const;
  // Empty if the answer is as required, else what is wrong with it, without a word of it.
  std::string Problem(const std::string& content, bool has_calls) const;

 private:
  std::string ContentProblem(const std::string& content, JsonSchema::Steps& steps) const;

  bool is_json_ = false;
  bool needs_call_ = false;
  std::string instruction_;
  std::optional<JsonSchema> schema_;
};

// The JSON in an answer, without the code fence that models like to put around it.
std::string_view WithoutFence(std::string_view text);

}  // namespace isoveil
