#include "isoveil/gateway/chat_task.h"

#include "isoveil/gateway/system_messages.h"

namespace isoveil {
namespace {

constexpr int kAttempts = 3;
constexpr double kRetryTemperature = 0.6;

// "auto", "none", "required", or the one function that must be called.
Status ReadToolChoice(const Json& body, ChatRequest& request, AnswerCheck& check) {
  const Json& choice = Member(body, "tool_choice");
  if (choice.is_null()) return Ok();
  if (choice.is_string()) {
    request.tool_choice = choice.get<std::string>();
  } else {
    const Json& function = choice.is_object() ? Member(choice, "function") : choice;
    const Json& holder = function.is_object() ? function : choice;
    if (!holder.is_object() || !Member(holder, "name").is_string()) {
      return BadMember("tool_choice", "auto, none, required or a function");
    }
    const Json named = Member(holder, "name");
    Json kept = Json::array();
    for (const Json& tool : request.tools) {
      if (Member(Member(tool, "function"), "name") == named) kept.push_back(tool);
    }
    if (kept.empty()) return BadMember("tool_choice", "a function that is among the tools");
    request.tools = std::move(kept);
    request.tool_choice = "required";
  }
  if (request.tool_choice == "required") {
    if (request.tools.empty()) return BadMember("tools", "at least one tool, since one is required");
    check.RequireCall();
  }
  return Ok();
}

// OpenAI's newer models know "developer", templates know "system".
void RenameDeveloper(Json& messages) {
  for (Json& message : messages) {
    if (message.is_object() && Member(message, "role") == "developer") message["role"] = "system";
  }
}

Status ReadThinking(const Json& body, ChatRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const auto effort, ReadText(body, "reasoning_effort"));
  if (effort) {
    request.enable_thinking = *effort != "none";
    request.kwargs["reasoning_effort"] = *effort;
  }
  const Json& kwargs = Member(body, "chat_template_kwargs");
  if (kwargs.is_null()) return Ok();
  if (!kwargs.is_object()) return BadMember("chat_template_kwargs", "an object");
  for (const auto& [name, value] : kwargs.items()) request.kwargs[name] = value;
  if (Member(kwargs, "enable_thinking").is_boolean()) request.enable_thinking = kwargs["enable_thinking"].get<bool>();
  return Ok();
}

Result<std::vector<TokenId>> KeptIds(const Vocabulary& vocabulary, const std::vector<std::string>& names) {
  std::vector<TokenId> ids;
  for (const std::string& name : names) {
    ISOVEIL_ASSIGN_OR_RETURN(const auto found, vocabulary.Tokenize(name, {.parse_special = true}));
    if (found.size() == 1) ids.push_back(found.front());
  }
  return ids;
}

std::string FinishOf(const Outcome& outcome, const MessageBuilder& builder) {
  if (outcome.finish == FinishReason::kLength) return "length";
  return builder.has_calls() ? "tool_calls" : "stop";
}

// One attempt. The parts go to `on_part` as they come.
Result<Answer> RunOnce(const ModelService& service, const ChatTask& task, const SamplingParams& sampling,
                       const PartCallback& on_part, MessageBuilder& builder, std::stop_token cancel) {
  Answer answer;
  const Generator generator(service.client, service.upstream);
  bool spoke = false;  // thoughts come before everything else
  const auto on_piece = [&](const Piece& piece) {
    if (task.options.logprobs) answer.tokens.insert(answer.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    MessageDelta delta = builder.Append(piece.text);
    spoke = spoke || !delta.content.empty() || !delta.calls.empty();
    if (!spoke) answer.reasoning_tokens += piece.tokens.size();
    return on_part({std::move(delta), piece.tokens});
  };
  Generation generation{task.ids, sampling, task.options.stops, task.kept};
  ISOVEIL_ASSIGN_OR_RETURN(const Outcome outcome, generator.Run(generation, on_piece, cancel));
  if (outcome.finish == FinishReason::kCancelled) return Fail(ErrorCode::kCancelled, "answer", "was cancelled");
  const MessageDelta last = builder.Finish();
  if (!last.empty()) on_part({last, {}});
  answer.message = builder.message();
  answer.finish_reason = FinishOf(outcome, builder);
  answer.usage = outcome.usage;
  answer.stop = outcome.stop;
  if (!builder.has_reasoning()) answer.reasoning_tokens = 0;
  return answer;
}

MessageDelta WholeOf(const Json& message) {
  MessageDelta whole;
  if (Member(message, "content").is_string()) whole.content = message["content"].get<std::string>();
  if (Member(message, "reasoning_content").is_string()) whole.reasoning = message["reasoning_content"].get<std::string>();
  const Json& calls = Member(message, "tool_calls");
  for (size_t i = 0; calls.is_array() && i < calls.size(); ++i) {
    whole.calls.push_back({i, calls[i]["id"].get<std::string>(), calls[i]["function"]["name"].get<std::string>(),
                           calls[i]["function"]["arguments"].get<std::string>()});
  }
  return whole;
}

// The same greedy question would get the same greedy answer.
void Vary(SamplingParams& sampling, int attempt) {
  if (attempt == 0) return;
  sampling.temperature = std::max(sampling.temperature, kRetryTemperature);
  if (sampling.seed) *sampling.seed += static_cast<uint32_t>(attempt) * 7919;
}

Result<Answer> RunChecked(const ModelService& service, const ChatTask& task, const SamplingParams& sampling,
                          const PartCallback& on_part, std::stop_token cancel) {
  std::string problem;
  uint64_t spent = 0;  // tokens of the attempts before
  uint64_t thought = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    SamplingParams varied = sampling;
    Vary(varied, attempt);
    MessageBuilder builder(task.prompt);
    std::vector<PlainToken> tokens;
    const auto collect = [&](const AnswerPart& part) {
      tokens.insert(tokens.end(), part.tokens.begin(), part.tokens.end());
      return true;
    };
    ISOVEIL_ASSIGN_OR_RETURN(Answer answer, RunOnce(service, task, varied, collect, builder, cancel));
    answer.usage.completion_tokens += std::exchange(spent, spent + answer.usage.completion_tokens);
    answer.reasoning_tokens += std::exchange(thought, thought + answer.reasoning_tokens);
    const std::string accepted = task.check.Extract(builder.content());
    problem = task.check.Problem(accepted, builder.has_calls());
    // What max_tokens has cut off says so, and would be cut off again.
    if (problem.empty() || answer.finish_reason == "length") {
      if (problem.empty() && Member(answer.message, "content").is_string() && !builder.has_calls()) {
        answer.message["content"] = accepted;
      }
      on_part({WholeOf(answer.message), std::move(tokens)});
      return answer;
    }
  }
  return Fail(ErrorCode::kUnfulfilled, "",
              fmt::format("the model did not answer as the request requires: {} after {} attempts", problem, kAttempts),
              "ask for it in the messages, or use a larger model: the sampling cannot be constrained on encrypted ids");
}

}  // namespace

Result<ChatRequest> ReadChatRequest(const Json& body, const RequestLimits& limits, AnswerCheck& check) {
  ChatRequest request;
  request.messages = Member(body, "messages");
  if (!request.messages.is_array() || request.messages.empty()) {
    return BadMember("messages", "a list of at least one message");
  }
  if (request.messages.size() > limits.max_messages) {
    return BadMember("messages", fmt::format("at most {} messages", limits.max_messages));
  }
  RenameDeveloper(request.messages);
  const Json& tools = Member(body, "tools");
  if (!tools.is_null()) request.tools = tools;
  ISOVEIL_RETURN_IF_ERROR(ReadToolChoice(body, request, check));
  ISOVEIL_ASSIGN_OR_RETURN(const auto parallel, ReadBool(body, "parallel_tool_calls"));
  request.parallel_tool_calls = parallel.value_or(false);
  ISOVEIL_RETURN_IF_ERROR(ReadThinking(body, request));
  return request;
}

Result<ChatTask> RenderChat(const ModelService& service, ChatRequest request, AnswerCheck check) {
  if (!service.chat) {
    return Fail(ErrorCode::kUnsupported, "messages", "this model has no chat template", "use /v1/completions");
  }
  FitSystemMessages(service.system_places, request.messages);
  AppendToSystem(request.messages, check.instruction());
  ChatTask task{.check = std::move(check)};
  ISOVEIL_ASSIGN_OR_RETURN(PromptIds prompt,
                           RenderIds(*service.chat, service.client.vocabulary, service.spelled.get(), request));
  task.prompt = std::move(prompt.prompt);
  task.ids = std::move(prompt.ids);
  if (task.ids.empty()) return BadMember("messages", "at least one token of text");
  ISOVEIL_ASSIGN_OR_RETURN(task.kept, KeptIds(service.client.vocabulary, task.prompt.kept_tokens));
  return task;
}

Result<ChatTask> MakeChatTask(const ModelService& service, ChatRequest request, GenerationOptions options,
                              AnswerCheck check) {
  ISOVEIL_ASSIGN_OR_RETURN(ChatTask task, RenderChat(service, std::move(request), std::move(check)));
  task.options = std::move(options);
  ISOVEIL_RETURN_IF_ERROR(FitContext(service, "messages", task.ids.size(), task.options));
  task.options.stops.insert(task.options.stops.end(), task.prompt.stops.begin(), task.prompt.stops.end());
  return task;
}

Result<Answer> RunChat(const ModelService& service, const ChatTask& task, int index, const PartCallback& on_part,
                       std::stop_token cancel) {
  SamplingParams sampling = task.options.sampling;
  if (sampling.seed) *sampling.seed += static_cast<uint32_t>(index);
  if (task.check.active()) return RunChecked(service, task, sampling, on_part, cancel);
  MessageBuilder builder(task.prompt);
  return RunOnce(service, task, sampling, on_part, builder, cancel);
}

}  // namespace isoveil
