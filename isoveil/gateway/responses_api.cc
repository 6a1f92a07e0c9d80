// POST /v1/responses, and GET and DELETE of what it has stored.
#include <algorithm>
#include <ctime>

#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/chat_task.h"
#include "isoveil/gateway/json_frame.h"
#include "isoveil/gateway/response_input.h"
#include "isoveil/gateway/token_json.h"

namespace isoveil {
namespace {

struct Response {
  const ModelService& service;
  const ApiRequest& request;
  Json asked;
  GenerationOptions options;
  ChatRequest chat;
  AnswerCheck check;
  std::string previous;  // what it continues
  bool store = false;
  std::string id = RandomId("resp_");
  int64_t created = std::time(nullptr);
};

Result<Response> ReadResponse(const ModelService& service, const ApiRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  ISOVEIL_ASSIGN_OR_RETURN(GenerationOptions options, ReadOptions(body, ApiKind::kResponse, service.limits));
  const Json& text = Member(body, "text");
  ISOVEIL_ASSIGN_OR_RETURN(AnswerCheck check,
                           AnswerCheck::FromFormat(text.is_object() ? Member(text, "format") : Json(), "text.format"));
  ISOVEIL_ASSIGN_OR_RETURN(const auto previous, ReadText(body, "previous_response_id"));
  ISOVEIL_ASSIGN_OR_RETURN(const auto store, ReadBool(body, "store"));
  Json whole = body;
  ISOVEIL_ASSIGN_OR_RETURN(whole["input"],
                           service.responses->Expand(request.who, Member(body, "input"), previous.value_or("")));
  ISOVEIL_ASSIGN_OR_RETURN(const Json chat, ChatFromResponseRequest(whole));
  ISOVEIL_ASSIGN_OR_RETURN(ChatRequest chat_request, ReadChatRequest(chat, service.limits, check));
  return Response{service,
                  request,
                  body,
                  std::move(options),
                  std::move(chat_request),
                  std::move(check),
                  previous.value_or(""),
                  store.value_or(true)};
}

// The messages of chat are this API's input.
ApiError ErrorOf(Error error) {
  if (error.where.starts_with("messages")) error.where = "input";
  return ToApiError(error);
}

Json OrDefault(const Json& asked, const char* name, const Json& fallback) {
  const Json& value = Member(asked, name);
  return value.is_null() ? fallback : value;
}

Json ResponseJson(const Response& response, const char* status, Json output, const Answer* answer) {
  const Json& asked = response.asked;
  Json json = {{"id", response.id},
               {"object", "response"},
               {"created_at", response.created},
               {"status", status},
               {"background", false},
               {"error", nullptr},
               {"incomplete_details", nullptr},
               {"instructions", OrDefault(asked, "instructions", nullptr)},
               {"max_output_tokens", OrDefault(asked, "max_output_tokens", nullptr)},
               {"model", response.service.name},
               {"output", std::move(output)},
               {"parallel_tool_calls", OrDefault(asked, "parallel_tool_calls", false)},
               {"previous_response_id", OrDefault(asked, "previous_response_id", nullptr)},
               {"reasoning", OrDefault(asked, "reasoning", {{"effort", nullptr}, {"summary", nullptr}})},
               {"store", response.store},
               {"temperature", response.options.sampling.temperature},
               {"text", OrDefault(asked, "text", {{"format", {{"type", "text"}}}})},
               {"tool_choice", OrDefault(asked, "tool_choice", "auto")},
               {"tools", OrDefault(asked, "tools", Json::array())},
               {"top_logprobs", response.options.top_logprobs},
               {"top_p", response.options.sampling.top_p},
               {"truncation", "disabled"},
               {"metadata", OrDefault(asked, "metadata", Json::object())}};
  if (std::string_view(status) == "incomplete") json["incomplete_details"] = {{"reason", "max_output_tokens"}};
  if (answer) {
    const Usage* const usage = &answer->usage;
    json["usage"] = {
        {"input_tokens", usage->prompt_tokens},
        {"input_tokens_details", {{"cached_tokens", usage->cached_tokens.value_or(0)}, {"cache_write_tokens", 0}}},
        {"output_tokens", usage->completion_tokens},
        {"output_tokens_details", {{"reasoning_tokens", answer->reasoning_tokens}}},
        {"total_tokens", usage->prompt_tokens + usage->completion_tokens}};
  }
  return json;
}

// One item of the output while it grows.
struct Item {
  enum class Kind { kReasoning, kMessage, kCall };
  Kind kind = Kind::kMessage;
  std::string id;
  size_t call_index = 0;
  std::string call_id;
  std::string name;
  std::string text;               // of the message, the thought, or the call's arguments
  Json logprobs = Json::array();  // of the message

  Json Part() const {
    if (kind == Kind::kReasoning) return {{"type", "reasoning_text"}, {"text", text}};
    return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", logprobs}};
  }
  Json ToJson(const char* status) const {
    const bool empty = std::string_view(status) == "in_progress";
    switch (kind) {
      case Kind::kReasoning:
        return {{"id", id},
                {"type", "reasoning"},
                {"summary", Json::array()},
                {"content", empty ? Json::array() : Json::array({Part()})},
                {"status", status}};
      case Kind::kCall:
        return {{"id", id},     {"type", "function_call"},        {"status", status},
                {"name", name}, {"arguments", empty ? "" : text}, {"call_id", call_id}};
      default:
        return {{"id", id},
                {"type", "message"},
                {"status", status},
                {"role", "assistant"},
                {"content", empty ? Json::array() : Json::array({Part()})}};
    }
  }
};

// Turns deltas into items and, for a stream, into the events that announce them.
class OutputWriter {
 public:
  // Without a reply only the items are collected.
  explicit OutputWriter(ReplyWriter* reply) : reply_(reply) {}

  bool Lifecycle(const char* type, const Json& response) { return Emit(type, {{"response", response}}); }

  // `logprobs` are of the tokens that came; they belong to the item whose text comes with or after them.
  bool Add(const MessageDelta& delta, const Json& logprobs) {
    waiting_.insert(waiting_.end(), logprobs.begin(), logprobs.end());
    bool open = true;
    if (!delta.reasoning.empty()) open = Grow(Item::Kind::kReasoning, delta.reasoning);
    if (!delta.content.empty()) open = Grow(Item::Kind::kMessage, delta.content);
    for (const ToolCallDelta& call : delta.calls) open = GrowCall(call);
    if (!delta.empty()) waiting_ = Json::array();
    return open;
  }

  // No item is announced as complete any more.
  void Stop() { open_ = false; }

  // An answer without a word is an empty message.
  void Close() {
    if (items_.empty()) Begin({.kind = Item::Kind::kMessage, .id = RandomId("msg_")});
    End();
  }

  Json Output(const char* status) const {
    Json output = Json::array();
    for (const Item& item : items_) output.push_back(item.ToJson(status));
    return output;
  }

 private:
  bool Emit(const char* type, const Json& members) {
    if (!reply_) return true;
    Json event = {{"type", type}, {"sequence_number", sequence_++}};
    event.update(members);
    return reply_->JsonEvent(event, type);
  }
  size_t last() const { return items_.size() - 1; }

  static const char* GrowthType(const Item& item) {
    switch (item.kind) {
      case Item::Kind::kReasoning: return "response.reasoning_text.delta";
      case Item::Kind::kCall: return "response.function_call_arguments.delta";
      default: return "response.output_text.delta";
    }
  }
  // The event that adds to an item: holes for its number, the text and, of a message, its log probabilities.
  Json GrowthOf(const Item& item) const {
    Json event = {{"type", GrowthType(item)},
                  {"sequence_number", JsonFrame::kHole},
                  {"item_id", item.id},
                  {"output_index", last()}};
    if (item.kind != Item::Kind::kCall) event["content_index"] = 0;
    event["delta"] = JsonFrame::kHole;
    if (item.kind == Item::Kind::kMessage) event["logprobs"] = JsonFrame::kHole;
    return event;
  }
  template <typename... Values>
  bool EmitGrowth(const Values&... values) {
    if (!reply_) return true;
    return reply_->Event(GrowthType(items_.back()), growth_.Fill({std::to_string(sequence_++), values...}));
  }

  bool Begin(Item item) {
    if (!items_.empty()) End();
    items_.push_back(std::move(item));
    open_ = true;
    const Item& added = items_.back();
    growth_ = JsonFrame(GrowthOf(added));
    Emit("response.output_item.added", {{"output_index", last()}, {"item", added.ToJson("in_progress")}});
    if (added.kind == Item::Kind::kCall) return true;
    return Emit("response.content_part.added",
                {{"item_id", added.id}, {"output_index", last()}, {"content_index", 0}, {"part", added.Part()}});
  }

  bool Grow(Item::Kind kind, const std::string& text) {
    const bool thought = kind == Item::Kind::kReasoning;
    if (items_.empty() || items_.back().kind != kind) Begin({.kind = kind, .id = RandomId(thought ? "rs_" : "msg_")});
    Item& item = items_.back();
    item.text += text;
    if (thought) return EmitGrowth(JsonText(text));
    const Json logprobs = std::exchange(waiting_, Json::array());
    item.logprobs.insert(item.logprobs.end(), logprobs.begin(), logprobs.end());
    return EmitGrowth(JsonText(text), logprobs.dump());
  }

  bool GrowCall(const ToolCallDelta& call) {
    if (!call.name.empty()) {
      Begin({.kind = Item::Kind::kCall,
             .id = RandomId("fc_"),
             .call_index = call.index,
             .call_id = call.id,
             .name = call.name});
    }
    if (items_.empty() || items_.back().kind != Item::Kind::kCall) return true;
    Item& item = items_.back();
    item.text += call.arguments;
    return call.arguments.empty() || EmitGrowth(JsonText(call.arguments));
  }

  void End() {
    if (!open_) return;
    open_ = false;
    const Item& item = items_.back();
    Json place = {{"item_id", item.id}, {"output_index", last()}};
    if (item.kind == Item::Kind::kCall) {
      place.update({{"name", item.name}, {"arguments", item.text}});
      Emit("response.function_call_arguments.done", place);
    } else {
      place["content_index"] = 0;
      Json text = place;
      text["text"] = item.text;
      if (item.kind == Item::Kind::kMessage) text["logprobs"] = item.logprobs;
      Emit(item.kind == Item::Kind::kMessage ? "response.output_text.done" : "response.reasoning_text.done", text);
      place["part"] = item.Part();
      Emit("response.content_part.done", place);
    }
    Emit("response.output_item.done", {{"output_index", last()}, {"item", item.ToJson("completed")}});
  }

  ReplyWriter* reply_;
  std::vector<Item> items_;
  JsonFrame growth_;  // the event that adds to the last item
  Json waiting_ = Json::array();
  bool open_ = false;
  int64_t sequence_ = 0;
};

// The whole of one response, as a document or as a stream.
class Run {
 public:
  Run(const Response& response, ReplyWriter& reply)
      : response_(response), reply_(reply), output_(response.options.stream ? &reply : nullptr) {}

  void Answer(const ChatTask& task) {
    const auto on_part = [&](const AnswerPart& part) {
      Begin();
      return output_.Add(part.delta, Logprobs(part.tokens));
    };
    const auto answer = RunChat(response_.service, task, 0, on_part, response_.request.cancel);
    if (!answer) return Fail(answer.error());
    Begin();
    output_.Close();
    const bool cut = answer->finish_reason == "length";
    const char* const status = cut ? "incomplete" : "completed";
    const Json done = ResponseJson(response_, status, output_.Output(status), &*answer);
    Store(done);
    if (!response_.options.stream) return reply_.SendJson(done);
    output_.Lifecycle(cut ? "response.incomplete" : "response.completed", done);
  }

  // Clients that stream compact the conversation on what this event says, and on no status.
  void Fail(const Error& error) {
    const ApiError api = ErrorOf(error);
    const bool tells = response_.options.stream && (begun_ || error.code == ErrorCode::kTooLong);
    if (!tells) return reply_.Fail(api);
    Begin();
    output_.Stop();
    Json failed = ResponseJson(response_, "failed", output_.Output("incomplete"), nullptr);
    failed["error"] = {{"code", error.code == ErrorCode::kTooLong ? ApiCodeName(*api.code) : "server_error"},
                       {"message", api.message}};
    output_.Lifecycle("response.failed", failed);
  }

 private:
  // The token that ended the answer is no part of its text.
  Json Logprobs(const std::vector<PlainToken>& tokens) const {
    Json entries = Json::array();
    if (!response_.options.logprobs) return entries;
    const Vocabulary& vocabulary = response_.service.client.vocabulary;
    const auto& ends = vocabulary.special_ids().end_of_generation;
    for (const PlainToken& token : tokens) {
      if (std::find(ends.begin(), ends.end(), token.id) != ends.end()) continue;
      entries.push_back(LogprobEntry(vocabulary, token, response_.options.top_logprobs));
    }
    return entries;
  }

  void Begin() {
    if (std::exchange(begun_, true)) return;
    const Json json = ResponseJson(response_, "in_progress", Json::array(), nullptr);
    output_.Lifecycle("response.created", json);
    output_.Lifecycle("response.in_progress", json);
  }

  void Store(const Json& done) {
    if (!response_.store) return;
    response_.service.responses->Put(response_.request.who, {.id = response_.id,
                                                             .previous = response_.previous,
                                                             .input = Member(response_.asked, "input"),
                                                             .output = done["output"],
                                                             .body = done});
  }

  const Response& response_;
  ReplyWriter& reply_;
  OutputWriter output_;
  bool begun_ = false;
};

}  // namespace

void Responses(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  auto response = ReadResponse(service, request);
  if (!response) return reply.Fail(ErrorOf(response.error()));
  Run run(*response, reply);
  const auto task = MakeChatTask(service, std::move(response->chat), response->options, std::move(response->check));
  if (!task) return run.Fail(task.error());
  run.Answer(*task);
}

void GetResponse(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  const auto stored = service.responses->Find(request.who, request.target);
  if (!stored) return reply.Fail(ToApiError(stored.error()));
  reply.SendJson(stored->body);
}

void DeleteResponse(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  const Status removed = service.responses->Remove(request.who, request.target);
  if (!removed) return reply.Fail(ToApiError(removed.error()));
  reply.SendJson(Json{{"id", request.target}, {"object", "response"}, {"deleted", true}});
}

}  // namespace isoveil
