// POST /v1/messages and /v1/messages/count_tokens: Anthropic's API
#include "isoveil/base/strict_json.h"
#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/chat_task.h"
#include "isoveil/gateway/json_frame.h"
#include "isoveil/gateway/message_request.h"
#include "isoveil/tokenizer/chat_messages.h"

namespace isoveil {
namespace {

struct Asked {
  Json chat;  // with the names of chat completions
  ChatRequest request;
  AnswerCheck check;
  bool shows_thoughts = true;
};

Result<Asked> ReadAsked(const ModelService& service, const ApiRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  Asked asked;
  ISOVEIL_ASSIGN_OR_RETURN(asked.chat, ChatFromMessageRequest(body));
  ISOVEIL_ASSIGN_OR_RETURN(asked.check,
                           AnswerCheck::FromFormat(Member(asked.chat, "response_format"), "output_config.format"));
  ISOVEIL_ASSIGN_OR_RETURN(asked.request, ReadChatRequest(asked.chat, service.limits, asked.check));
  asked.request.add_generation_prompt = !HasPrefill(body);
  const Json& thinking = Member(body, "thinking");
  asked.shows_thoughts = !thinking.is_object() || Member(thinking, "display") != "omitted";
  return asked;
}

// The prompt is counted whole; what the server had in its cache is told apart, as Anthropic's counts are.
Json UsageOf(const Usage& usage) {
  const uint64_t cached = std::min(usage.cached_tokens.value_or(0), usage.prompt_tokens);
  return {{"input_tokens", usage.prompt_tokens - cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", cached},
          {"output_tokens", usage.completion_tokens}};
}

// One block of the content while it grows.
struct Block {
  enum class Kind { kThinking, kText, kToolUse };
  Kind kind = Kind::kText;
  std::string id;    // of a call
  std::string name;  // of a call
  std::string text;  // or the thought, or the call's arguments

  // Arguments that are no object were cut off; `stop_reason` tells that. A key that the model wrote twice has its last
  // value, as it has for those who read the same text from a stream.
  Json Input() const {
    const auto input = ParseStrictJson(text, "input", kMaxNesting, EqualKeys::kLastCounts);
    return input && input->is_object() ? *input : Json::object();
  }
  Json ToJson() const {
    switch (kind) {
      case Kind::kThinking: return {{"type", "thinking"}, {"thinking", text}, {"signature", ""}};
      case Kind::kToolUse: return {{"type", "tool_use"}, {"id", id}, {"name", name}, {"input", Input()}};
      default: return {{"type", "text"}, {"text", text}, {"citations", nullptr}};
    }
  }
  Json Delta(const std::string& more) const {
    switch (kind) {
      case Kind::kThinking: return {{"type", "thinking_delta"}, {"thinking", more}};
      case Kind::kToolUse: return {{"type", "input_json_delta"}, {"partial_json", more}};
      default: return {{"type", "text_delta"}, {"text", more}};
    }
  }
};

// Turns deltas into blocks and, for a stream, into the events that announce them.
class ContentWriter {
 public:
  // Without a reply only the blocks are collected.
  ContentWriter(ReplyWriter* reply, bool shows_thoughts) : reply_(reply), shows_thoughts_(shows_thoughts) {}

  bool Emit(const char* type, const Json& members) {
    if (!reply_) return true;
    Json event = {{"type", type}};
    event.update(members);
    return reply_->JsonEvent(event, type);
  }

  bool Add(const MessageDelta& delta) {
    bool open = true;
    if (!delta.reasoning.empty()) open = Grow(Block::Kind::kThinking, shows_thoughts_ ? delta.reasoning : "");
    if (!delta.content.empty()) open = Grow(Block::Kind::kText, delta.content);
    for (const ToolCallDelta& call : delta.calls) open = GrowCall(call);
    return open;
  }

  void Close() {
    if (!open_) return;
    open_ = false;
    if (blocks_.back().kind == Block::Kind::kThinking) {
      Emit("content_block_delta", {{"index", last()}, {"delta", {{"type", "signature_delta"}, {"signature", ""}}}});
    }
    Emit("content_block_stop", {{"index", last()}});
  }

  Json Content() const {
    Json content = Json::array();
    for (const Block& block : blocks_) content.push_back(block.ToJson());
    return content;
  }

 private:
  size_t last() const { return blocks_.size() - 1; }

  bool Begin(Block block) {
    Close();
    blocks_.push_back(std::move(block));
    open_ = true;
    const Block& begun = blocks_.back();
    growth_ = JsonFrame({{"type", "content_block_delta"}, {"index", last()}, {"delta", begun.Delta(JsonFrame::kHole)}});
    return Emit("content_block_start", {{"index", last()}, {"content_block", begun.ToJson()}});
  }

  bool Append(const std::string& more) {
    blocks_.back().text += more;
    if (more.empty() || !reply_) return true;
    return reply_->Event("content_block_delta", growth_.Fill({JsonText(more)}));
  }

  bool Grow(Block::Kind kind, const std::string& more) {
    if (!open_ || blocks_.back().kind != kind) Begin({.kind = kind});
    return Append(more);
  }

  bool GrowCall(const ToolCallDelta& call) {
    if (!call.name.empty()) Begin({.kind = Block::Kind::kToolUse, .id = call.id, .name = call.name});
    if (!open_ || blocks_.back().kind != Block::Kind::kToolUse) return true;
    return Append(call.arguments);
  }

  ReplyWriter* reply_;
  bool shows_thoughts_;
  std::vector<Block> blocks_;
  JsonFrame growth_;  // the event that adds to the last block
  bool open_ = false;
};

struct Why {
  std::string reason;
  Json sequence = nullptr;  // the stop sequence that ended the answer
};

Why WhyItStopped(const Answer& answer, const Json& stops) {
  if (answer.finish_reason == "length") return {"max_tokens"};
  if (answer.finish_reason == "tool_calls") return {"tool_use"};
  // A template has stop strings of its own, which nobody asked for.
  const bool asked = stops.is_array() && std::find(stops.begin(), stops.end(), Json(answer.stop)) != stops.end();
  if (!answer.stop.empty() && asked) return {"stop_sequence", answer.stop};
  return {"end_turn"};
}

Json MessageJson(const ModelService& service, const std::string& id, Json content, const Why* why, const Usage& usage) {
  return {{"id", id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", service.name},
          {"content", std::move(content)},
          {"stop_reason", why ? Json(why->reason) : Json(nullptr)},
          {"stop_sequence", why ? why->sequence : Json(nullptr)},
          {"usage", UsageOf(usage)}};
}

void Run(const ModelService& service, const ApiRequest& request, const Asked& asked, const ChatTask& task,
         ReplyWriter& reply) {
  const std::string id = RandomId("msg_");
  const bool stream = task.options.stream;
  ContentWriter content(stream ? &reply : nullptr, asked.shows_thoughts);
  bool begun = false;
  const auto begin = [&] {
    if (std::exchange(begun, true)) return;
    const Usage prompt{.prompt_tokens = task.ids.size()};
    content.Emit("message_start", {{"message", MessageJson(service, id, Json::array(), nullptr, prompt)}});
  };
  const auto on_part = [&](const AnswerPart& part) {
    begin();
    return content.Add(part.delta);
  };
  const auto answer = RunChat(service, task, 0, on_part, request.cancel);
  if (!answer) return reply.Fail(ToApiError(answer.error()));
  begin();
  content.Close();
  const Why why = WhyItStopped(*answer, Member(asked.chat, "stop"));
  if (!stream) return reply.SendJson(MessageJson(service, id, content.Content(), &why, answer->usage));
  content.Emit("message_delta", {{"delta", {{"stop_reason", why.reason}, {"stop_sequence", why.sequence}}},
                                 {"usage", UsageOf(answer->usage)}});
  content.Emit("message_stop", Json::object());
}

}  // namespace

void Messages(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  auto asked = ReadAsked(service, request);
  if (!asked) return reply.Fail(ToApiError(asked.error()));
  if (Member(asked->chat, "max_tokens").is_null()) {
    return reply.Fail(ToApiError(BadMember("max_tokens", "the most tokens that the answer may have").value()));
  }
  auto options = ReadOptions(asked->chat, ApiKind::kChat, service.limits);
  if (!options) return reply.Fail(ToApiError(options.error()));
  const auto task = MakeChatTask(service, asked->request, std::move(*options), asked->check);
  if (!task) return reply.Fail(ToApiError(task.error()));
  Run(service, request, *asked, *task, reply);
}

void CountMessageTokens(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  const auto asked = ReadAsked(service, request);
  if (!asked) return reply.Fail(ToApiError(asked.error()));
  const auto task = RenderChat(service, asked->request, asked->check);
  if (!task) return reply.Fail(ToApiError(task.error()));
  reply.SendJson({{"input_tokens", task->ids.size()}});
}

}  // namespace isoveil
