#include "isoveil/gateway/answer_check.h"

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

// Order has no meaning in a schema, nor in what is checked against it.
nlohmann::json Sorted(const Json& json) { return nlohmann::json::parse(json.dump()); }

// How many brackets are tried for the beginning of the JSON in a text.
constexpr int kMaxCandidates = 64;

// Up to the bracket that closes the one at the beginning; 0 if none does.
size_t BracketedLength(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

}  // namespace

std::string_view WithoutFence(std::string_view text) {
  const auto trim = [](std::string_view s) {
    const size_t begin = s.find_first_not_of(" \t\r\n");
    return begin == std::string_view::npos ? std::string_view{}
                                           : s.substr(begin, s.find_last_not_of(" \t\r\n") - begin + 1);
  };
  text = trim(text);
  if (!text.starts_with("```") || !text.ends_with("```") || text.size() < 6) return text;
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return text;
  return trim(text.substr(line, text.size() - 3 - line));
}

Result<AnswerCheck> AnswerCheck::FromFormat(const Json& format, const std::string& name) {
  AnswerCheck check;
  if (format.is_null()) return check;
  ISOVEIL_ASSIGN_OR_RETURN(const auto type,
                           format.is_object() ? ReadText(format, "type") : std::optional<std::string>());
  if (type == "text") return check;
  if (type != "json_object" && type != "json_schema") {
    return BadMember(name + ".type", "text, json_object or json_schema");
  }
  check.is_json_ = true;
  check.instruction_ = "Answer with a single JSON object and nothing else.";
  if (type == "json_object") return check;
  // Chat nests the schema once more than responses.
  const Json& holder = format.contains("json_schema") ? format["json_schema"] : format;
  const Json& schema = holder.is_object() ? Member(holder, "schema") : Member(format, "schema");
  const std::string place = name + (format.contains("json_schema") ? ".json_schema.schema" : ".schema");
  if (!schema.is_object()) return BadMember(place, "an object");
  ISOVEIL_ASSIGN_OR_RETURN(check.schema_, JsonSchema::Parse(Sorted(schema), place));
  check.instruction_ = "Answer with JSON that follows this JSON Schema, and nothing else:\n" + schema.dump();
  return check;
}

std::string AnswerCheck::Extract(const std::string& content) const {
  std::string whole(WithoutFence(content));
  if (!is_json_) return content;
  JsonSchema::Steps steps;
  if (ContentProblem(whole, steps).empty()) return whole;
  size_t begin = 0;
  for (int i = 0; i < kMaxCandidates && steps.enough(); ++i) {
    begin = whole.find_first_of("{[", begin);
    if (begin == std::string::npos) break;
    const size_t length = BracketedLength(std::string_view(whole).substr(begin));
    std::string candidate = whole.substr(begin, length);
    if (length > 0 && ContentProblem(candidate, steps).empty()) return candidate;
    ++begin;
  }
  return whole;
}

std::string AnswerCheck::Problem(const std::string& content, bool has_calls) const {
  if (needs_call_ && !has_calls) return "no tool was called";
  JsonSchema::Steps steps;
  return !is_json_ || has_calls ? "" : ContentProblem(content, steps);
}

std::string AnswerCheck::ContentProblem(const std::string& content, JsonSchema::Steps& steps) const {
  const auto json = ParseStrictJson(WithoutFence(content), "answer");
  if (!json) return "the answer is not JSON";
  if (!schema_) return json->is_object() ? "" : "the answer is not a JSON object";
  switch (schema_->Check(Sorted(*json), steps)) {
    case JsonSchema::Verdict::kFollows: return "";
    case JsonSchema::Verdict::kBreaks: return "the answer does not follow the schema";
    default: return "the schema has too many alternatives for the answer to be checked";
  }
}

}  // namespace isoveil
