#include "isoveil/gateway/message_request.h"

namespace isoveil {
namespace {

tl::unexpected<Error> OnlyText(std::string place, std::string hint) {
  return Fail(ErrorCode::kUnsupported, std::move(place), "only text can be encrypted", std::move(hint));
}

void AppendLine(std::string& text, const std::string& more) {
  if (!text.empty() && !more.empty()) text += "\n";
  text += more;
}

// What a block says as text: "text", and a document that is plain text.
Result<std::string> TextOf(const Json& block, const std::string& place) {
  if (!block.is_object()) return BadMember(place, "an object");
  const Json& type = Member(block, "type");
  if (type == "text") {
    if (!Member(block, "text").is_string()) return BadMember(place + ".text", "a string");
    return block["text"].get<std::string>();
  }
  if (type == "document" && Member(Member(block, "source"), "type") == "text") {
    const Json& data = Member(block["source"], "data");
    if (!data.is_string()) return BadMember(place + ".source.data", "a string");
    std::string text;
    for (const char* name : {"title", "context"}) {
      if (Member(block, name).is_string()) AppendLine(text, block[name].get<std::string>());
    }
    AppendLine(text, data.get<std::string>());
    return text;
  }
  return OnlyText(place, "remove images and files");
}

// A string, or a list of blocks that are text.
Result<std::string> TextOfAll(const Json& content, const std::string& place) {
  if (content.is_null()) return std::string();
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return BadMember(place, "a string or a list of blocks");
  std::string text;
  for (size_t i = 0; i < content.size(); ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::string more, TextOf(content[i], fmt::format("{}[{}]", place, i)));
    AppendLine(text, more);
  }
  return text;
}

// The turn of this role at the end of the list: turns of one role that follow each other are one.
Json& Turn(Json& messages, const char* role) {
  if (messages.empty() || messages.back()["role"] != role) messages.push_back({{"role", role}, {"content", ""}});
  return messages.back();
}

void AppendText(Json& turn, const char* member, const std::string& more) {
  std::string text = turn.contains(member) ? turn[member].get<std::string>() : "";
  AppendLine(text, more);
  turn[member] = std::move(text);
}

// Chat has no flag for a tool that failed, so its answer says so.
Status AppendToolResult(const Json& block, const std::string& place, Json& messages) {
  if (!Member(block, "tool_use_id").is_string()) return BadMember(place + ".tool_use_id", "a string");
  ISOVEIL_ASSIGN_OR_RETURN(std::string text, TextOfAll(Member(block, "content"), place + ".content"));
  ISOVEIL_ASSIGN_OR_RETURN(const auto failed, ReadBool(block, "is_error"));
  if (failed.value_or(false)) text = "Error: " + text;
  messages.push_back({{"role", "tool"}, {"tool_call_id", block["tool_use_id"]}, {"content", std::move(text)}});
  return Ok();
}

Status AppendToolUse(const Json& block, const std::string& place, Json& turn) {
  for (const char* name : {"id", "name"}) {
    if (!Member(block, name).is_string()) return BadMember(place + "." + name, "a string");
  }
  const Json& input = Member(block, "input");
  if (!input.is_object()) return BadMember(place + ".input", "an object");
  turn["tool_calls"].push_back({{"id", block["id"]},
                                {"type", "function"},
                                {"function", {{"name", block["name"]}, {"arguments", input.dump()}}}});
  return Ok();
}

Status AppendUserBlock(const Json& block, const std::string& place, Json& messages) {
  if (block.is_object() && Member(block, "type") == "tool_result") return AppendToolResult(block, place, messages);
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, TextOf(block, place));
  AppendText(Turn(messages, "user"), "content", text);
  return Ok();
}

// Thoughts that another service has sealed cannot be read here.
Status AppendAssistantBlock(const Json& block, const std::string& place, Json& messages) {
  Json& turn = Turn(messages, "assistant");
  const Json& type = block.is_object() ? Member(block, "type") : block;
  if (type == "tool_use") return AppendToolUse(block, place, turn);
  if (type == "redacted_thinking") return Ok();
  if (type == "thinking") {
    if (!Member(block, "thinking").is_string()) return BadMember(place + ".thinking", "a string");
    AppendText(turn, "reasoning_content", block["thinking"].get<std::string>());
    return Ok();
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, TextOf(block, place));
  AppendText(turn, "content", text);
  return Ok();
}

Status AppendMessage(const Json& message, const std::string& place, Json& messages) {
  if (!message.is_object()) return BadMember(place, "an object");
  const Json& role = Member(message, "role");
  if (role == "system") {
    ISOVEIL_ASSIGN_OR_RETURN(const std::string text, TextOfAll(Member(message, "content"), place + ".content"));
    AppendText(Turn(messages, "system"), "content", text);
    return Ok();
  }
  if (role != "user" && role != "assistant") return BadMember(place + ".role", "user, assistant or system");
  const auto append = role == "user" ? AppendUserBlock : AppendAssistantBlock;
  const Json& content = Member(message, "content");
  if (content.is_string()) return append({{"type", "text"}, {"text", content}}, place + ".content", messages);
  if (!content.is_array()) return BadMember(place + ".content", "a string or a list of blocks");
  for (size_t i = 0; i < content.size(); ++i) {
    ISOVEIL_RETURN_IF_ERROR(append(content[i], fmt::format("{}.content[{}]", place, i), messages));
  }
  return Ok();
}

Result<Json> MessagesOf(const Json& body) {
  Json messages = Json::array();
  ISOVEIL_ASSIGN_OR_RETURN(const std::string system, TextOfAll(Member(body, "system"), "system"));
  if (!system.empty()) AppendText(Turn(messages, "system"), "content", system);
  const Json& list = Member(body, "messages");
  if (!list.is_array() || list.empty()) return BadMember("messages", "a list of at least one message");
  for (size_t i = 0; i < list.size(); ++i) {
    ISOVEIL_RETURN_IF_ERROR(AppendMessage(list[i], fmt::format("messages[{}]", i), messages));
  }
  return messages;
}

Result<Json> ToolsOf(const Json& tools) {
  Json out = Json::array();
  if (tools.is_null()) return out;
  if (!tools.is_array()) return BadMember("tools", "a list");
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string place = fmt::format("tools[{}]", i);
    const Json& tool = tools[i];
    if (!tool.is_object()) return BadMember(place, "an object");
    const Json& type = Member(tool, "type");
    if (!type.is_null() && type != "custom") {
      return Fail(ErrorCode::kUnsupported, place + ".type", "expected a tool with an input_schema",
                  "tools that Anthropic's own servers or models bring are not here; describe yours with input_schema");
    }
    if (!Member(tool, "name").is_string()) return BadMember(place + ".name", "a string");
    if (!Member(tool, "input_schema").is_object()) return BadMember(place + ".input_schema", "an object");
    Json function = {{"name", tool["name"]}};
    if (Member(tool, "description").is_string()) function["description"] = tool["description"];
    function["parameters"] = tool["input_schema"];
    out.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return out;
}

// auto, any, none, or the one tool that must be called.
Status ReadToolChoice(const Json& body, Json& chat) {
  const Json& choice = Member(body, "tool_choice");
  chat["parallel_tool_calls"] = true;
  if (choice.is_null()) return Ok();
  if (!choice.is_object()) return BadMember("tool_choice", "an object");
  const Json& type = Member(choice, "type");
  if (type == "auto" || type == "none") {
    chat["tool_choice"] = type;
  } else if (type == "any") {
    chat["tool_choice"] = "required";
  } else if (type == "tool") {
    chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", Member(choice, "name")}}}};
  } else {
    return BadMember("tool_choice.type", "auto, any, tool or none");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const auto single, ReadBool(choice, "disable_parallel_tool_use"));
  chat["parallel_tool_calls"] = !single.value_or(false);
  return Ok();
}

Status ReadThinking(const Json& body, Json& chat) {
  const Json& thinking = Member(body, "thinking");
  if (thinking.is_null()) return Ok();
  if (!thinking.is_object() || !Member(thinking, "type").is_string())
    return BadMember("thinking", "an object with a type");
  chat["chat_template_kwargs"] = {{"enable_thinking", Member(thinking, "type") != "disabled"}};
  return Ok();
}

Status ReadOutputConfig(const Json& body, Json& chat) {
  const Json& config = Member(body, "output_config");
  if (config.is_null()) return Ok();
  if (!config.is_object()) return BadMember("output_config", "an object");
  if (!Member(config, "effort").is_null()) chat["reasoning_effort"] = config["effort"];
  const Json& format = Member(config, "format");
  if (format.is_null()) return Ok();
  if (!format.is_object() || Member(format, "type") != "json_schema") {
    return BadMember("output_config.format.type", "json_schema");
  }
  chat["response_format"] = {{"type", "json_schema"}, {"schema", Member(format, "schema")}};
  return Ok();
}

Status RefuseWhatRunsElsewhere(const Json& body) {
  for (const char* name : {"container", "mcp_servers", "context_management"}) {
    if (Member(body, name).empty()) continue;
    return Fail(ErrorCode::kUnsupported, name, "is a service of Anthropic's servers", "remove it");
  }
  return Ok();
}

}  // namespace

Result<Json> ChatFromMessageRequest(const Json& body) {
  ISOVEIL_RETURN_IF_ERROR(RefuseWhatRunsElsewhere(body));
  Json chat = Json::object();
  ISOVEIL_ASSIGN_OR_RETURN(chat["messages"], MessagesOf(body));
  ISOVEIL_ASSIGN_OR_RETURN(chat["tools"], ToolsOf(Member(body, "tools")));
  ISOVEIL_RETURN_IF_ERROR(ReadToolChoice(body, chat));
  ISOVEIL_RETURN_IF_ERROR(ReadThinking(body, chat));
  ISOVEIL_RETURN_IF_ERROR(ReadOutputConfig(body, chat));
  for (const char* name : {"max_tokens", "temperature", "top_p", "top_k", "stream"}) {
    if (!Member(body, name).is_null()) chat[name] = body[name];
  }
  const Json& stops = Member(body, "stop_sequences");
  if (!stops.is_null() && !stops.is_array()) return BadMember("stop_sequences", "a list of strings");
  if (!stops.is_null()) chat["stop"] = stops;
  return chat;
}

bool HasPrefill(const Json& body) {
  const Json& messages = Member(body, "messages");
  return messages.is_array() && !messages.empty() && messages.back().is_object() &&
         Member(messages.back(), "role") == "assistant";
}

}  // namespace isoveil
