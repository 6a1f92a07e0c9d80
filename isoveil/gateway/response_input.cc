#include "isoveil/gateway/response_input.h"

namespace isoveil {
namespace {

Status RefuseStored(const Json& body) {
  for (const char* name : {"conversation", "prompt"}) {
    if (Member(body, name).is_null()) continue;
    return Fail(ErrorCode::kUnsupported, name, "is not stored here", "send the conversation in input, or previous_response_id");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const auto background, ReadBool(body, "background"));
  if (background.value_or(false)) return Fail(ErrorCode::kUnsupported, "background", "no response is made without a client that waits");
  return Ok();
}

// The text of a list of parts.
Result<Json> ContentOf(const Json& content, const std::string& place) {
  if (content.is_string()) return content;
  if (!content.is_array()) return BadMember(place, "a string or a list of parts");
  std::string text;
  for (const Json& part : content) {
    const Json& type = part.is_object() ? Member(part, "type") : part;
    if (type != "input_text" && type != "output_text" && type != "text") {
      return Fail(ErrorCode::kUnsupported, place, "only text can be sent", "remove images and files");
    }
    if (!Member(part, "text").is_string()) return BadMember(place, "parts with a text");
    text += part["text"].get<std::string>();
  }
  return Json(text);
}

// A call stands in the message before it, as chat has it.
void AppendCall(const Json& item, Json& messages) {
  const Json call = {{"id", Member(item, "call_id")},
                     {"type", "function"},
                     {"function", {{"name", Member(item, "name")}, {"arguments", Member(item, "arguments")}}}};
  if (messages.empty() || messages.back()["role"] != "assistant") {
    messages.push_back({{"role", "assistant"}, {"content", nullptr}});
  }
  messages.back()["tool_calls"].push_back(call);
}

Status AppendItem(const Json& item, const std::string& place, Json& messages) {
  if (!item.is_object()) return BadMember(place, "an object");
  const Json& type = Member(item, "type");
  if (type.is_null() || type == "message") {
    ISOVEIL_ASSIGN_OR_RETURN(Json content, ContentOf(Member(item, "content"), place + ".content"));
    messages.push_back({{"role", Member(item, "role")}, {"content", std::move(content)}});
  } else if (type == "function_call") {
    AppendCall(item, messages);
  } else if (type == "function_call_output") {
    ISOVEIL_ASSIGN_OR_RETURN(Json content, ContentOf(Member(item, "output"), place + ".output"));
    messages.push_back(
        {{"role", "tool"}, {"tool_call_id", Member(item, "call_id")}, {"content", std::move(content)}});
  } else if (type != "reasoning") {
    return Fail(ErrorCode::kUnsupported, place + ".type", "expected message, function_call or function_call_output");
  }
  return Ok();
}

Result<Json> ToolsOf(const Json& tools) {
  if (tools.is_null()) return Json::array();
  if (!tools.is_array()) return BadMember("tools", "a list");
  Json out = Json::array();
  for (const Json& tool : tools) {
    if (!tool.is_object() || Member(tool, "type") != "function") continue;
    Json function = {{"name", Member(tool, "name")}};
    for (const char* name : {"description", "parameters"}) {
      if (!Member(tool, name).is_null()) function[name] = tool[name];
    }
    out.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return out;
}

}  // namespace

Result<Json> ChatFromResponseRequest(const Json& body) {
  ISOVEIL_RETURN_IF_ERROR(RefuseStored(body));
  Json chat = {{"messages", Json::array()}};
  Json& messages = chat["messages"];
  ISOVEIL_ASSIGN_OR_RETURN(const auto instructions, ReadText(body, "instructions"));
  if (instructions && !instructions->empty()) messages.push_back({{"role", "system"}, {"content", *instructions}});
  const Json& input = Member(body, "input");
  if (input.is_string()) {
    messages.push_back({{"role", "user"}, {"content", input}});
  } else if (input.is_array()) {
    for (size_t i = 0; i < input.size(); ++i) {
      ISOVEIL_RETURN_IF_ERROR(AppendItem(input[i], fmt::format("input[{}]", i), messages));
    }
  } else {
    return BadMember("input", "a string or a list of items");
  }
  ISOVEIL_ASSIGN_OR_RETURN(chat["tools"], ToolsOf(Member(body, "tools")));
  for (const char* name : {"tool_choice", "parallel_tool_calls"}) {
    if (!Member(body, name).is_null()) chat[name] = body[name];
  }
  const Json& effort = Member(body, "reasoning");
  if (effort.is_object() && !Member(effort, "effort").is_null()) chat["reasoning_effort"] = effort["effort"];
  return chat;
}

}  // namespace isoveil
