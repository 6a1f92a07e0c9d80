#include "isoveil/gateway/chat_task.h"

#include <algorithm>

#include "isoveil/gateway/system_messages.h"

namespace isoveil {
namespace {

constexpr int kAttempts = 3;
constexpr double kRetryTemperature = 0.6;

// The names of the functions that a tool choice leaves; chat nests them once more than responses.
Result<std::vector<Json>> NamesOf(const Json& list) {
  std::vector<Json> names;
  for (const Json& entry : list) {
    const Json& function = entry.is_object() ? Member(entry, "function") : entry;
    const Json& holder = function.is_object() ? function : entry;
    if (!holder.is_object() || !Member(holder, "name").is_string()) {
      return BadMember("tool_choice", "auto, none, required or a function");
    }
    names.push_back(holder["name"]);
  }
  return names;
}

// "auto", "none", "required", the one function that must be called, or those that may be.
Status ReadToolChoice(const Json& body, ChatRequest& request, AnswerCheck& check) {
  const Json& choice = Member(body, "tool_choice");
  if (choice.is_null()) return Ok();
  if (choice.is_string()) {
    request.tool_choice = choice.get<std::string>();
  } else {
    const bool several = choice.is_object() && Member(choice, "type") == "allowed_tools";
    const Json& nested = several ? Member(choice, "allowed_tools") : choice;
    const Json& allowed = nested.is_object() ? nested : choice;
    const Json list = several ? Member(allowed, "tools") : Json::array({choice});
    if (!list.is_array()) return BadMember("tool_choice", "a list of the tools that are allowed");
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<Json> names, NamesOf(list));
    Json kept = Json::array();
    for (const Json& tool : request.tools) {
      const Json& function = tool.is_object() ? Member(tool, "function") : tool;
      if (function.is_object() && std::find(names.begin(), names.end(), Member(function, "name")) != names.end())
        kept.push_back(tool);
    }
    if (kept.empty() && !names.empty()) return BadMember("tool_choice", "a function that is among the tools");
    request.tools = std::move(kept);
    request.tool_choice = several && Member(allowed, "mode") != "required" ? "auto" : "required";
  }
  if (request.tool_choice == "required") {
    if (request.tools.empty()) return BadMember("tools", "at least one tool, since one is required");
    check.RequireCall();
  }
  return Ok();
}

// What an assistant refused is text to a template.
void JoinRefusals(Json& message) {
  if (Member(message, "role") != "assistant") return;
  const Json& content = Member(message, "content");
  if (content.is_array()) {
    for (Json& part : message["content"]) {
      if (part.is_object() && Member(part, "type") == "refusal")
        part = {{"type", "text"}, {"text", Member(part, "refusal")}};
    }
  } else if (content.is_null() && Member(message, "tool_calls").is_null() && Member(message, "refusal").is_string()) {
    message["content"] = message["refusal"];
  }
}

// A function without parameters may say so.
void DropNullParameters(Json& tools) {
  if (!tools.is_array()) return;
  for (Json& tool : tools) {
    if (!tool.is_object() || !Member(tool, "function").is_object()) continue;
    Json& function = tool["function"];
    if (function.contains("parameters") && function["parameters"].is_null()) function.erase("parameters");
  }
}

// OpenAI's newer models know "developer", templates know "system".
void FitRoles(Json& messages) {
  for (Json& message : messages) {
    if (!message.is_object()) continue;
    if (Member(message, "role") == "developer") message["role"] = "system";
    JoinRefusals(message);
  }
}

constexpr const char* kEfforts[] = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};

// The effort goes to templates that ask for it; for all others it switches thinking on or off.
Status ReadEffort(const Json& holder, const char* name, const std::string& place, ChatRequest& request) {
  const Json& effort = Member(holder, name);
  if (effort.is_null()) return Ok();
  if (!effort.is_string() ||
      std::find(std::begin(kEfforts), std::end(kEfforts), effort.get_ref<const std::string&>()) == std::end(kEfforts)) {
    return BadMember(place, "none, minimal, low, medium, high, xhigh or max");
  }
  request.enable_thinking = effort != "none";
  request.kwargs["reasoning_effort"] = effort;
  return Ok();
}

Status ReadThinking(const Json& body, ChatRequest& request) {
  ISOVEIL_RETURN_IF_ERROR(ReadEffort(body, "reasoning_effort", "reasoning_effort", request));
  const Json& reasoning = Member(body, "reasoning");
  if (!reasoning.is_null() && !reasoning.is_object()) return BadMember("reasoning", "an object");
  if (reasoning.is_object()) {
    ISOVEIL_RETURN_IF_ERROR(ReadEffort(reasoning, "effort", "reasoning.effort", request));
    ISOVEIL_ASSIGN_OR_RETURN(const auto enabled, ReadBool(reasoning, "enabled"));
    if (enabled) request.enable_thinking = *enabled;
    if (!Member(reasoning, "max_tokens").is_null()) {
      return Fail(ErrorCode::kUnsupported, "reasoning.max_tokens", "cannot be honoured", "use reasoning.effort");
    }
  }
  ISOVEIL_ASSIGN_OR_RETURN(const auto thinking, ReadBool(body, "enable_thinking"));
  if (thinking) request.enable_thinking = *thinking;
  ISOVEIL_ASSIGN_OR_RETURN(const auto format, ReadText(body, "reasoning_format"));
  if (format == "none") {
    request.reasoning = ReasoningFormat::kInContent;
  } else if (format && *format != "auto" && *format != "deepseek" && !format->empty()) {
    return BadMember("reasoning_format", "none, auto or deepseek");
  }
  const Json& kwargs = Member(body, "chat_template_kwargs");
  if (kwargs.is_null()) return Ok();
  if (!kwargs.is_object()) return BadMember("chat_template_kwargs", "an object");
  for (const auto& [name, value] : kwargs.items()) request.kwargs[name] = value;
  if (Member(kwargs, "enable_thinking").is_boolean()) request.enable_thinking = kwargs["enable_thinking"].get<bool>();
  return Ok();
}

// Whether the last message is gone on with; two names of one thing.
Status ReadContinuation(const Json& body, ChatRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const auto prompt, ReadBool(body, "add_generation_prompt"));
  ISOVEIL_ASSIGN_OR_RETURN(const auto goes_on, ReadBool(body, "continue_final_message"));
  if (goes_on.value_or(false) && prompt.value_or(false)) {
    return Fail(ErrorCode::kInvalidArgument, "continue_final_message", "contradicts add_generation_prompt",
                "send one of them");
  }
  request.add_generation_prompt = prompt.value_or(!goes_on.value_or(false));
  return Ok();
}

Result<std::vector<PlainId>> KeptIds(const Vocabulary& vocabulary, const std::vector<std::string>& names) {
  std::vector<PlainId> ids;
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
  const Generator generator(service.client, *service.upstream);
  bool spoke = false;  // thoughts come before everything else
  const auto on_piece = [&](const Piece& piece) {
    if (task.options.logprobs) answer.tokens.insert(answer.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    MessageDelta delta = builder.Append(piece.text);
    spoke = spoke || !delta.content.empty() || !delta.calls.empty();
    if (!spoke) answer.reasoning_tokens += piece.tokens.size();
    return on_part({std::move(delta), piece.tokens});
  };
  const GenerationOptions& options = task.options;
  const Generation generation{task.ids, sampling, options.logit_bias, options.stop_ids, options.stops, task.kept};
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
  if (Member(message, "reasoning_content").is_string())
    whole.reasoning = message["reasoning_content"].get<std::string>();
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
  FitRoles(request.messages);
  const Json& tools = Member(body, "tools");
  if (!tools.is_null()) request.tools = tools;
  DropNullParameters(request.tools);
  ISOVEIL_RETURN_IF_ERROR(ReadToolChoice(body, request, check));
  ISOVEIL_ASSIGN_OR_RETURN(const auto parallel, ReadBool(body, "parallel_tool_calls"));
  request.parallel_tool_calls = parallel.value_or(false);
  ISOVEIL_RETURN_IF_ERROR(ReadThinking(body, request));
  ISOVEIL_RETURN_IF_ERROR(ReadContinuation(body, request));
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
