#include "isoveil/gateway/message_builder.h"

#include <sodium.h>

namespace isoveil {
namespace {

// A parser takes about 25 nanoseconds for a byte: this keeps a token near ten microseconds.
constexpr size_t kBudgetPerPiece = 400;
constexpr std::string_view kSpaces = " \t\r\n";

// JSON that stops within a string, and not after a backslash.
bool EndsInString(std::string_view json) {
  bool inside = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '"') inside = !inside;
    if (inside && json[i] == '\\' && ++i >= json.size()) return false;
  }
  return inside;
}

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
  budget_ += kBudgetPerPiece;
  if (tail_ != Tail::kUnknown && IsPlain(text)) return GrowTail(text);
  tail_ = Tail::kUnknown;
  if (budget_ < text_.size()) return {};
  budget_ -= text_.size();
  parsed_bytes_ += text_.size();
  const Result<Json> parsed = parser_.Parse(text_, /*partial=*/true);
  if (!parsed) return {};
  MessageDelta delta = Take(*parsed);
  FindTail();
  return delta;
}

// Text of which no character can begin a marker stays within the part that it continues: parsers leave a part at
// their delimiters alone. Within a string of JSON, quotes and backslashes mean something as well.
bool MessageBuilder::IsPlain(std::string_view text) const {
  if (text.find_first_of(markers_) != std::string_view::npos) return false;
  return tail_ != Tail::kArguments || text.find_first_of("\"\\") == std::string_view::npos;
}

MessageDelta MessageBuilder::GrowTail(std::string_view text) {
  MessageDelta delta;
  if (tail_ == Tail::kArguments) {
    calls_.back().arguments += text;
    delta.calls.push_back({.index = calls_.size() - 1, .arguments = std::string(text)});
    return delta;
  }
  spaces_ += text;
  const size_t end = spaces_.find_last_not_of(kSpaces) + 1;
  std::string& part = tail_ == Tail::kContent ? content_ : reasoning_;
  std::string& added = tail_ == Tail::kContent ? delta.content : delta.reasoning;
  added = spaces_.substr(0, end);
  part += added;
  spaces_.erase(0, end);
  return delta;
}

// The part with which the text ends, but for spaces. Where a marker may have begun, the parser holds back what may be
// one, and the end of a part proves nothing.
void MessageBuilder::FindTail() {
  const std::string_view text(text_);
  const bool is_clear = text.substr(text.size() - std::min(text.size(), longest_marker_)).find_first_of(markers_) ==
                        std::string_view::npos;
  const std::string_view words = text.substr(0, text.find_last_not_of(kSpaces) + 1);
  const auto ends_with = [&](const std::string& part) {
    return is_clear && !part.empty() && kSpaces.find(part.back()) == std::string_view::npos && words.ends_with(part);
  };
  spaces_ = text.substr(words.size());
  if (!calls_.empty()) {
    const std::string& arguments = calls_.back().arguments;
    if (text.ends_with(arguments) && EndsInString(arguments)) tail_ = Tail::kArguments;
  } else if (ends_with(content_)) {
    tail_ = Tail::kContent;
  } else if (content_.empty() && ends_with(reasoning_)) {
    tail_ = Tail::kReasoning;
  }
}

MessageDelta MessageBuilder::Finish() {
  if (verbatim_) return {};
  parsed_bytes_ += text_.size();
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
    message["tool_calls"].push_back(
        {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return message;
}

}  // namespace isoveil
