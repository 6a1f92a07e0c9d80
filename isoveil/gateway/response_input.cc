#include "isoveil/gateway/response_input.h"

#include <algorithm>

namespace isoveil {
namespace {

Status RefuseStored(const Json& body) {
  for (const char* name : {"conversation", "prompt"}) {
    if (Member(body, name).is_null()) continue;
    return Fail(ErrorCode::kUnsupported, name, "is not stored here",
                "send the conversation in input, or previous_response_id");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const auto background, ReadBool(body, "background"));
  if (background.value_or(false))
    return Fail(ErrorCode::kUnsupported, "background", "no response is made without a client that waits");
  return Ok();
}

// The text of a list of parts.
Result<Json> ContentOf(const Json& content, const std::string& place) {
  if (content.is_string()) return content;
  if (!content.is_array()) return BadMember(place, "a string or a list of parts");
  std::string text;
  for (const Json& part : content) {
    const Json& type = part.is_object() ? Member(part, "type") : part;
    const char* const member = type == "refusal" ? "refusal" : "text";
    if (type != "input_text" && type != "output_text" && type != "text" && type != "refusal" &&
        type != "summary_text") {
      return Fail(ErrorCode::kUnsupported, place, "only text can be sent", "remove images and files");
    }
    if (!Member(part, member).is_string()) return BadMember(place, "parts with a text");
    text += part[member].get<std::string>();
  }
  return Json(text);
}

// A call stands in the message before it, as chat has it.
void AppendCall(const Json& id, const Json& name, const Json& arguments, Json& messages) {
  const Json call = {{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
  if (messages.empty() || messages.back()["role"] != "assistant") {
    messages.push_back({{"role", "assistant"}, {"content", nullptr}});
  }
  messages.back()["tool_calls"].push_back(call);
}

// What other tools did elsewhere, or what cannot be read here: the answers that came of it stand beside it as messages.
constexpr const char* kLeftOut[] = {
    "reasoning",          "web_search_call",  "file_search_call",     "code_interpreter_call", "image_generation_call",
    "mcp_list_tools",     "mcp_call",         "mcp_approval_request", "mcp_approval_response", "tool_search_call",
    "tool_search_output", "additional_tools", "compaction",           "compaction_trigger"};

// Calls of tools that the application runs, in the words of a function call: the tool's name, and all that it was
// given.
constexpr std::pair<const char*, const char*> kOtherCalls[] = {{"custom_tool_call", "input"},
                                                               {"local_shell_call", "action"},
                                                               {"shell_call", "action"},
                                                               {"apply_patch_call", "operation"}};

// The kind of call that an item is or gives the output of, if it is one of those.
const std::pair<const char*, const char*>* OtherCall(std::string_view type) {
  constexpr std::string_view kOutput = "_output";
  if (type.ends_with(kOutput)) type.remove_suffix(kOutput.size());
  const auto found = std::find_if(std::begin(kOtherCalls), std::end(kOtherCalls),
                                  [&](const auto& call) { return type == call.first; });
  return found == std::end(kOtherCalls) ? nullptr : found;
}

Status AppendOutput(const Json& item, const std::string& place, Json& messages) {
  const Json& output = Member(item, "output");
  // Parts are text; an application's own lists and objects are JSON.
  const bool own = output.is_object() || (output.is_array() && !output.empty() && !output[0].contains("text"));
  ISOVEIL_ASSIGN_OR_RETURN(Json content, own && Member(item, "type") != "function_call_output"
                                             ? Result<Json>(Json(output.dump()))
                                             : ContentOf(output, place + ".output"));
  messages.push_back({{"role", "tool"}, {"tool_call_id", Member(item, "call_id")}, {"content", std::move(content)}});
  return Ok();
}

Status AppendItem(const Json& item, const std::string& place, Json& messages) {
  if (!item.is_object()) return BadMember(place, "an object");
  const Json& type = Member(item, "type");
  if (type.is_null() || type == "message") {
    ISOVEIL_ASSIGN_OR_RETURN(Json content, ContentOf(Member(item, "content"), place + ".content"));
    messages.push_back({{"role", Member(item, "role")}, {"content", std::move(content)}});
  } else if (type == "function_call") {
    AppendCall(Member(item, "call_id"), Member(item, "name"), Member(item, "arguments"), messages);
  } else if (type == "function_call_output") {
    return AppendOutput(item, place, messages);
  } else if (const auto* other = type.is_string() ? OtherCall(type.get_ref<const std::string&>()) : nullptr) {
    if (type != other->first) return AppendOutput(item, place, messages);
    const Json& name = Member(item, "name");
    const std::string kind =
        std::string(other->first).substr(0, std::string_view(other->first).size() - std::string_view("_call").size());
    AppendCall(Member(item, "call_id"), name.is_string() ? name : Json(kind),
               Json{{other->second, Member(item, other->second)}}.dump(), messages);
  } else if (std::find(std::begin(kLeftOut), std::end(kLeftOut), type) == std::end(kLeftOut)) {
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
  for (const char* name :
       {"reasoning", "chat_template_kwargs", "enable_thinking", "reasoning_format", "reasoning_effort"}) {
    if (!Member(body, name).is_null()) chat[name] = body[name];
  }
  return chat;
}

}  // namespace isoveil
