#include "isoveil/tokenizer/chat_messages.h"

#include <algorithm>

namespace isoveil {
namespace {

using nlohmann::ordered_json;

tl::unexpected<Error> Expected(const std::string& place, std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument, place, fmt::format("expected {}", what));
}

bool IsText(const ordered_json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string();
}

// A field that may be missing or null, and is text otherwise.
Status CheckOptionalText(const ordered_json& object, const char* name, const std::string& place) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null() || it->is_string()) return Ok();
  return Expected(place + "." + name, "a string");
}

Status CheckParts(const ordered_json& parts, const std::string& place) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string here = fmt::format("{}[{}]", place, i);
    if (!parts[i].is_object() || !IsText(parts[i], "type")) return Expected(here, "an object with a type");
    if (parts[i]["type"] != "text") {
      return Fail(ErrorCode::kUnsupported, here + ".type", "only text can be sent", "remove images and files");
    }
    if (!IsText(parts[i], "text")) return Expected(here + ".text", "a string");
  }
  return Ok();
}

Status CheckContent(const ordered_json& message, const std::string& place) {
  const auto content = message.find("content");
  const bool has_calls = message.contains("tool_calls") && !message["tool_calls"].is_null();
  if (content == message.end() || content->is_null()) {
    return has_calls ? Ok() : Status(Expected(place + ".content", "a string or a list of parts"));
  }
  if (content->is_string()) return Ok();
  if (content->is_array()) return CheckParts(*content, place + ".content");
  return Expected(place + ".content", "a string or a list of parts");
}

Status CheckCalls(const ordered_json& message, const std::string& place) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || calls->is_null()) return Ok();
  if (!calls->is_array()) return Expected(place + ".tool_calls", "a list");
  for (size_t i = 0; i < calls->size(); ++i) {
    const std::string here = fmt::format("{}.tool_calls[{}]", place, i);
    const ordered_json& call = (*calls)[i];
    if (!call.is_object() || !IsText(call, "type") || call["type"] != "function") {
      return Expected(here + ".type", "\"function\"");
    }
    if (!call.contains("function") || !call["function"].is_object() || !IsText(call["function"], "name")) {
      return Expected(here + ".function.name", "a string");
    }
    const auto arguments = call["function"].find("arguments");
    if (arguments == call["function"].end() || !(arguments->is_string() || arguments->is_object())) {
      return Expected(here + ".function.arguments", "a string or an object");
    }
    if (arguments->is_string() && IsNestedTooDeep(arguments->get_ref<const std::string&>())) {
      return Expected(here + ".function.arguments", fmt::format("at most {} brackets within each other", kMaxNesting));
    }
    ISOVEIL_RETURN_IF_ERROR(CheckOptionalText(call, "id", here));
  }
  return Ok();
}

constexpr char kOutside = '\0';

// Whether the brackets outside of strings do, if the text begins within a string that ends with `quote`, or in none.
bool NestsTooDeep(std::string_view text, std::string_view quotes, char quote) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;
    } else if (c == quote) {
      quote = kOutside;
    } else if (quote != kOutside) {
      continue;
    } else if (quotes.find(c) != std::string_view::npos) {
      quote = c;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

bool IsNestedTooDeep(std::string_view text) {
  if (std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; }) <= kMaxNesting) return false;
  for (const std::string_view quotes : {"\"", "\"'"}) {
    if (NestsTooDeep(text, quotes, kOutside)) return true;
    // Quotes only exchange the ways of reading for each other: wherever a list begins, one of them is outside of
    // strings.
    for (const char quote : quotes) {
      if (NestsTooDeep(text, quotes, quote)) return true;
    }
  }
  return false;
}

Status CheckMessages(const ordered_json& messages) {
  if (!messages.is_array() || messages.empty()) return Expected("messages", "a list of at least one message");
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string place = fmt::format("messages[{}]", i);
    const ordered_json& message = messages[i];
    if (!message.is_object() || !IsText(message, "role")) return Expected(place + ".role", "a string");
    ISOVEIL_RETURN_IF_ERROR(CheckContent(message, place));
    ISOVEIL_RETURN_IF_ERROR(CheckCalls(message, place));
    for (const char* name : {"reasoning_content", "name", "tool_call_id"}) {
      ISOVEIL_RETURN_IF_ERROR(CheckOptionalText(message, name, place));
    }
  }
  return Ok();
}

Status CheckTools(const ordered_json& tools) {
  if (!tools.is_array()) return Expected("tools", "a list");
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string place = fmt::format("tools[{}]", i);
    const ordered_json& tool = tools[i];
    if (!tool.is_object() || !IsText(tool, "type") || tool["type"] != "function") {
      return Expected(place + ".type", "\"function\"");
    }
    if (!tool.contains("function") || !tool["function"].is_object() || !IsText(tool["function"], "name")) {
      return Expected(place + ".function.name", "a string");
    }
    const ordered_json& function = tool["function"];
    ISOVEIL_RETURN_IF_ERROR(CheckOptionalText(function, "description", place + ".function"));
    if (function.contains("parameters") && !function["parameters"].is_object()) {
      return Expected(place + ".function.parameters", "an object");
    }
  }
  return Ok();
}

}  // namespace isoveil
