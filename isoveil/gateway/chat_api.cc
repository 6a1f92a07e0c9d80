// POST /v1/chat/completions
#include <ctime>
#include <mutex>

#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/chat_task.h"
#include "isoveil/gateway/choices.h"
#include "isoveil/gateway/json_frame.h"
#include "isoveil/gateway/token_json.h"

namespace isoveil {
namespace {

struct Chat {
  const ModelService& service;
  const ApiRequest& request;
  ChatTask task;
  std::string id = RandomId("chatcmpl-");
  int64_t created = std::time(nullptr);

  Json Head(const char* object) const {
    return {{"id", id}, {"object", object}, {"created", created}, {"model", service.name}};
  }
  Json Logprobs(std::span<const PlainToken> tokens) const {
    if (!task.options.logprobs) return nullptr;
    Json content = Json::array();
    for (const PlainToken& token : tokens) {
      content.push_back(LogprobEntry(service.client.vocabulary, token, task.options.top_logprobs));
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
  }
};

Result<Chat> ReadChat(const ModelService& service, const ApiRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  ISOVEIL_ASSIGN_OR_RETURN(GenerationOptions options, ReadOptions(body, ApiKind::kChat, service.limits));
  ISOVEIL_ASSIGN_OR_RETURN(AnswerCheck check,
                           AnswerCheck::FromFormat(Member(body, "response_format"), "response_format"));
  ISOVEIL_ASSIGN_OR_RETURN(ChatRequest chat, ReadChatRequest(body, service.limits, check));
  ISOVEIL_ASSIGN_OR_RETURN(ChatTask task, MakeChatTask(service, std::move(chat), std::move(options), std::move(check)));
  return Chat{service, request, std::move(task)};
}

// The prompt is counted once, the answers together.
Json Total(const std::vector<Result<Answer>>& answers) {
  Usage total;
  uint64_t reasoning_tokens = 0;
  for (const auto& answer : answers) {
    total.prompt_tokens = answer->usage.prompt_tokens;
    total.completion_tokens += answer->usage.completion_tokens;
    reasoning_tokens += answer->reasoning_tokens;
    if (answer->usage.cached_tokens) total.cached_tokens = answer->usage.cached_tokens;
  }
  return UsageJson(total, reasoning_tokens);
}

// The first error, if any choice failed.
const Error* FirstError(const std::vector<Result<Answer>>& answers) {
  for (const auto& answer : answers) {
    if (!answer) return &answer.error();
  }
  return nullptr;
}

void AnswerAtOnce(const Chat& chat, ReplyWriter& reply) {
  std::mutex mutex;
  std::vector<std::vector<PlainToken>> tokens(static_cast<size_t>(chat.task.options.n));
  const auto answers = RunChoices<Answer>(chat.task.options.n, [&](int index) {
    const auto collect = [&](const AnswerPart& part) {
      const std::lock_guard lock(mutex);
      auto& list = tokens[static_cast<size_t>(index)];
      list.insert(list.end(), part.tokens.begin(), part.tokens.end());
      return true;
    };
    return RunChat(chat.service, chat.task, index, collect, chat.request.cancel);
  });
  if (const Error* error = FirstError(answers)) return reply.Fail(ToApiError(*error));
  Json body = chat.Head("chat.completion");
  body["choices"] = Json::array();
  for (size_t i = 0; i < answers.size(); ++i) {
    body["choices"].push_back({{"index", i},
                               {"message", answers[i]->message},
                               {"logprobs", chat.Logprobs(tokens[i])},
                               {"finish_reason", answers[i]->finish_reason}});
  }
  body["usage"] = Total(answers);
  if (chat.request.wants_wire) {
    const ClientFolder& client = chat.service.client;
    body["isoveil"] = {{"prompt", WirePairs(client.vocabulary, client.cipher, chat.task.ids)},
                       {"tokens", WirePairs(client.vocabulary, tokens.front())}};
  }
  reply.SendJson(body);
}

// The one text by which a delta makes the message grow: what most tokens are.
struct Growth {
  enum class Part { kNone, kContent, kReasoning, kArguments };
  Part part = Part::kNone;
  size_t call = 0;  // of the arguments
  bool operator==(const Growth&) const = default;
};

Growth GrowthOf(const MessageDelta& delta) {
  const bool says = !delta.content.empty();
  const bool thinks = !delta.reasoning.empty();
  if (says + thinks + delta.calls.size() != 1) return {};
  if (says) return {Growth::Part::kContent};
  if (thinks) return {Growth::Part::kReasoning};
  return delta.calls[0].name.empty() ? Growth{Growth::Part::kArguments, delta.calls[0].index} : Growth{};
}

std::string& TextOf(const Growth& growth, MessageDelta& delta) {
  if (growth.part == Growth::Part::kArguments) return delta.calls[0].arguments;
  return growth.part == Growth::Part::kContent ? delta.content : delta.reasoning;
}

// Writes the chunks of all choices, each beginning with the role.
class ChunkWriter {
 public:
  ChunkWriter(const Chat& chat, ReplyWriter& reply)
      : chat_(chat), reply_(reply), choices_(static_cast<size_t>(chat.task.options.n)) {}

  bool Part(int index, const AnswerPart& part) {
    const std::lock_guard lock(mutex_);
    if (!Begin(index)) return false;
    const bool shows_tokens = chat_.task.options.logprobs || chat_.request.wants_wire;
    if (part.delta.empty() && !(shows_tokens && !part.tokens.empty())) return true;
    const Growth growth = GrowthOf(part.delta);
    if (!shows_tokens && growth.part != Growth::Part::kNone) return Grow(index, growth, part.delta);
    Json chunk = Chunk(index, Delta(part.delta), nullptr);
    if (chat_.task.options.logprobs) chunk["choices"][0]["logprobs"] = chat_.Logprobs(part.tokens);
    if (chat_.request.wants_wire && !part.tokens.empty()) {
      chunk["isoveil"] = {{"tokens", WirePairs(chat_.service.client.vocabulary, part.tokens)}};
    }
    return reply_.JsonEvent(chunk);
  }

  bool Finish(int index, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    return Begin(index) && reply_.JsonEvent(Chunk(index, Json::object(), reason));
  }

  void UsageChunk(Json usage) {
    Json chunk = chat_.Head("chat.completion.chunk");
    chunk["choices"] = Json::array();
    chunk["usage"] = std::move(usage);
    reply_.JsonEvent(chunk);
  }

 private:
  struct Choice {
    bool begun = false;
    Growth growth;    // of the last chunk
    JsonFrame frame;  // of chunks that grow so
  };

  bool Begin(int index) {
    if (std::exchange(choices_[static_cast<size_t>(index)].begun, true)) return true;
    Json chunk = Chunk(index, {{"role", "assistant"}, {"content", ""}}, nullptr);
    if (chat_.request.wants_wire && index == 0) {
      const ClientFolder& client = chat_.service.client;
      chunk["isoveil"] = {{"prompt", WirePairs(client.vocabulary, client.cipher, chat_.task.ids)}};
    }
    return reply_.JsonEvent(chunk);
  }

  // The same chunk again and again, but for the text.
  bool Grow(int index, const Growth& growth, MessageDelta delta) {
    Choice& choice = choices_[static_cast<size_t>(index)];
    const std::string text = std::exchange(TextOf(growth, delta), JsonFrame::kHole);
    if (choice.growth != growth) {
      choice.growth = growth;
      choice.frame = JsonFrame(Chunk(index, Delta(delta), nullptr));
    }
    return reply_.Event("", choice.frame.Fill({JsonText(text)}));
  }

  Json Chunk(int index, Json delta, Json finish_reason) const {
    Json chunk = chat_.Head("chat.completion.chunk");
    chunk["choices"] = Json::array({{{"index", index},
                                     {"delta", std::move(delta)},
                                     {"logprobs", nullptr},
                                     {"finish_reason", std::move(finish_reason)}}});
    if (chat_.task.options.include_usage) chunk["usage"] = nullptr;
    return chunk;
  }

  static Json Delta(const MessageDelta& delta) {
    Json json = Json::object();
    if (!delta.content.empty()) json["content"] = delta.content;
    if (!delta.reasoning.empty()) json["reasoning_content"] = delta.reasoning;
    for (const ToolCallDelta& call : delta.calls) {
      Json entry = {{"index", call.index}};
      if (!call.name.empty()) {
        entry["id"] = call.id;
        entry["type"] = "function";
        entry["function"] = {{"name", call.name}, {"arguments", call.arguments}};
      } else {
        entry["function"] = {{"arguments", call.arguments}};
      }
      json["tool_calls"].push_back(std::move(entry));
    }
    return json;
  }

  const Chat& chat_;
  ReplyWriter& reply_;
  std::mutex mutex_;
  std::vector<Choice> choices_;
};

void AnswerInChunks(const Chat& chat, ReplyWriter& reply) {
  ChunkWriter chunks(chat, reply);
  const auto answers = RunChoices<Answer>(chat.task.options.n, [&](int index) -> Result<Answer> {
    ISOVEIL_ASSIGN_OR_RETURN(const Answer answer, RunChat(
                                                      chat.service, chat.task, index,
                                                      [&](const AnswerPart& part) { return chunks.Part(index, part); },
                                                      chat.request.cancel));
    chunks.Finish(index, answer.finish_reason);
    return answer;
  });
  if (const Error* error = FirstError(answers)) return reply.Fail(ToApiError(*error));
  if (chat.task.options.include_usage) chunks.UsageChunk(Total(answers));
  reply.Event("", "[DONE]");
}

}  // namespace

void ChatCompletions(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  const auto chat = ReadChat(service, request);
  if (!chat) return reply.Fail(ToApiError(chat.error()));
  if (chat->task.options.stream) {
    AnswerInChunks(*chat, reply);
  } else {
    AnswerAtOnce(*chat, reply);
  }
}

}  // namespace isoveil
