#include "isoveil/gateway/message_builder.h"

#include <sodium.h>

namespace isoveil {
namespace {

std::string TextOf(const Json& object, const char* name) {
  const Json& value = Member(object, name);
  return value.is_string() ? value.get<std::string>() : "";
}

// What `whole` has beyond `known`, which becomes `whole`. A parser may take back the end of a partial answer;
// what was sent stays sent, and the rest follows once the texts agree again.
std::string Grow(std::string& known, const std::string& whole) {
  if (whole.size() <= known.size() || !whole.starts_with(known)) return "";
  std::string added = whole.substr(known.size());
  known = whole;
  return added;
}

}  // namespace

std::string RandomId(std::string_view prefix) {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string id(prefix);
  for (int i = 0; i < 24; ++i) id += kLetters[randombytes_uniform(static_cast<uint32_t>(kLetters.size()))];
  return id;
}

MessageDelta MessageBuilder::Append(std::string_view text) {
  if (text.empty()) return {};
  text_ += text;
  if (verbatim_) {
    content_ += text;
    return {.content = std::string(text)};
  }
  const Result<Json> parsed = parser_.Parse(text_, /*partial=*/true);
  return parsed ? Take(*parsed) : MessageDelta{};
}

MessageDelta MessageBuilder::Finish() {
  if (verbatim_) return {};
  const Result<Json> parsed = parser_.Parse(text_);
  if (parsed) return Take(*parsed);
  if (!content_.empty() || !reasoning_.empty() || !calls_.empty()) return {};
  content_ = text_;
  return {.content = text_};
}

MessageDelta MessageBuilder::Take(const Json& parsed) {
  MessageDelta delta;
  delta.reasoning = Grow(reasoning_, TextOf(parsed, "reasoning_content"));
  delta.content = Grow(content_, TextOf(parsed, "content"));
  const Json& calls = Member(parsed, "tool_calls");
  if (calls.is_array()) TakeCalls(calls, delta);
  return delta;
}

void MessageBuilder::TakeCalls(const Json& list, MessageDelta& delta) {
  for (size_t i = 0; i < list.size(); ++i) {
    const Json& function = Member(list[i], "function");
    if (!function.is_object()) continue;
    ToolCallDelta added{.index = i};
    if (i == calls_.size()) {
      std::string id = TextOf(list[i], "id");
      added.id = id.empty() ? RandomId("call_") : std::move(id);
      added.name = TextOf(function, "name");
      calls_.push_back({added.id, added.name, ""});
    }
    added.arguments = Grow(calls_[i].arguments, TextOf(function, "arguments"));
    if (!added.name.empty() || !added.arguments.empty()) delta.calls.push_back(std::move(added));
  }
}

Json MessageBuilder::message() const {
  Json message = {{"role", "assistant"}};
  message["content"] = content_.empty() && !calls_.empty() ? Json(nullptr) : Json(content_);
  message["refusal"] = nullptr;
  if (!reasoning_.empty()) message["reasoning_content"] = reasoning_;
  for (const Call& call : calls_) {
    message["tool_calls"].push_back({{"id", call.id},
                                     {"type", "function"},
                                     {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return message;
}

}  // namespace isoveil
