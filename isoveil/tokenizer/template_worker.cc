#include "isoveil/tokenizer/template_worker.h"

#include <sys/resource.h>

#include <optional>

#include "isoveil/base/strict_json.h"
#include "isoveil/tokenizer/chat_messages.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr int kMostChildren = 4;
constexpr size_t kLargestPrompt = size_t{256} << 20;

std::string Dump(const ordered_json& json) { return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

ordered_json ToJson(const ChatRequest& request) {
  return {{"messages", request.messages},
          {"tools", request.tools},
          {"tool_choice", request.tool_choice},
          {"kwargs", request.kwargs},
          {"parallel_tool_calls", request.parallel_tool_calls},
          {"enable_thinking", request.enable_thinking},
          {"reasoning", request.reasoning == ReasoningFormat::kSeparate},
          {"add_generation_prompt", request.add_generation_prompt}};
}

ChatRequest RequestFrom(const ordered_json& json) {
  return {.messages = json.at("messages"),
          .tools = json.at("tools"),
          .tool_choice = json.at("tool_choice").get<std::string>(),
          .kwargs = json.at("kwargs"),
          .parallel_tool_calls = json.at("parallel_tool_calls").get<bool>(),
          .enable_thinking = json.at("enable_thinking").get<bool>(),
          .reasoning = json.at("reasoning").get<bool>() ? ReasoningFormat::kSeparate : ReasoningFormat::kInContent,
          .add_generation_prompt = json.at("add_generation_prompt").get<bool>()};
}

ordered_json ToJson(const RawPrompt& prompt) {
  return {{"text", prompt.text},
          {"format", prompt.format},
          {"parser", prompt.parser},
          {"generation_prompt", prompt.generation_prompt},
          {"supports_thinking", prompt.supports_thinking},
          {"stops", prompt.stops},
          {"kept_tokens", prompt.kept_tokens}};
}

RawPrompt PromptFrom(const ordered_json& json) {
  return {.text = json.at("text").get<std::string>(),
          .format = json.at("format").get<int>(),
          .parser = json.at("parser").get<std::string>(),
          .generation_prompt = json.at("generation_prompt").get<std::string>(),
          .supports_thinking = json.at("supports_thinking").get<bool>(),
          .stops = json.at("stops").get<std::vector<std::string>>(),
          .kept_tokens = json.at("kept_tokens").get<std::vector<std::string>>()};
}

std::string Answer(const Error& error) {
  return Dump(
      {{"error", {{"code", static_cast<int>(error.code)}, {"where", error.where}, {"problem", error.problem}}}});
}

tl::unexpected<Error> NoAnswer() {
  return Fail(ErrorCode::kUnavailable, "chat template", "its process writes no answer");
}

// The error that a child tells, or its whole answer.
Result<ordered_json> Read(const std::string& answer) {
  const auto json = ParseStrictJson(answer, "answer");
  if (!json || !json->is_object()) return NoAnswer();
  if (!json->contains("error")) return *json;
  try {
    const ordered_json& error = (*json)["error"];
    const auto code = error.at("code").get<int64_t>();
    if (code < 0 || code > static_cast<int64_t>(ErrorCode::kUnfulfilled)) return NoAnswer();
    return Fail(static_cast<ErrorCode>(code), error.at("where").get<std::string>(),
                error.at("problem").get<std::string>());
  } catch (const std::exception&) {
    return NoAnswer();
  }
}

// What a child has made of a conversation.
Result<RawPrompt> ReadPrompt(const std::string& answer) {
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json json, Read(answer));
  try {
    return PromptFrom(json);
  } catch (const std::exception&) {
    return NoAnswer();
  }
}

// The child's state: the first question is the template, the others are conversations.
class Child {
 public:
  std::string Reply(const std::string& question) {
    try {
      const auto json = ParseStrictJson(question, "messages", kMaxNesting);
      if (!json) return Answer({ErrorCode::kInvalidArgument, "messages", json.error().problem, ""});
      if (!chat_) return Begin(*json);
      const auto prompt = chat_->RenderRaw(RequestFrom(*json));
      return prompt ? Dump(ToJson(*prompt)) : Answer(prompt.error());
    } catch (const std::exception&) {
      return Answer(
          {ErrorCode::kInvalidArgument, "messages", "the chat template cannot be applied to the messages", ""});
    }
  }

 private:
  std::string Begin(const ordered_json& json) {
    auto chat = ChatTemplate::Parse(json.at("source"), json.at("bos_token"), json.at("eos_token"));
    if (!chat) return Answer(chat.error());
    chat_ = std::move(*chat);
    return Dump(ordered_json::object());
  }

  std::optional<ChatTemplate> chat_;
};

}  // namespace

TemplateWorker::TemplateWorker(std::vector<std::string> command, TemplateSource source, std::chrono::milliseconds limit)
    : command_(std::move(command)), source_(std::move(source)), limit_(limit) {}

Result<std::unique_ptr<TemplateWorker>> TemplateWorker::Start(std::vector<std::string> command, TemplateSource source,
                                                              std::chrono::milliseconds limit) {
  std::unique_ptr<TemplateWorker> worker(new TemplateWorker(std::move(command), std::move(source), limit));
  auto child = worker->NewChild();
  if (!child) {
    if (child.error().code != ErrorCode::kUnavailable) return tl::unexpected(child.error());
    return Fail(ErrorCode::kFormat, "chat template",
                fmt::format("its code fails on a plain conversation: its process {}", child.error().problem),
                "the model's maker has to mend it; completions work without one");
  }
  worker->n_children_ = 1;
  worker->idle_.push_back(std::move(*child));
  return worker;
}

Result<FramedChild> TemplateWorker::NewChild() {
  ISOVEIL_ASSIGN_OR_RETURN(FramedChild child, FramedChild::Start(command_));
  const ordered_json first = {
      {"source", source_.source}, {"bos_token", source_.bos_token}, {"eos_token", source_.eos_token}};
  ISOVEIL_ASSIGN_OR_RETURN(const std::string answer, child.Ask(Dump(first), limit_, kLargestPrompt));
  ISOVEIL_RETURN_IF_ERROR(Read(answer));
  return child;
}

Result<FramedChild> TemplateWorker::Take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !idle_.empty() || n_children_ < kMostChildren; });
  if (!idle_.empty()) {
    FramedChild child = std::move(idle_.back());
    idle_.pop_back();
    return child;
  }
  ++n_children_;
  lock.unlock();
  auto child = NewChild();
  if (!child) GiveBack(std::nullopt);
  return child;
}

void TemplateWorker::GiveBack(std::optional<FramedChild> child) {
  const std::lock_guard lock(mutex_);
  if (child) {
    idle_.push_back(std::move(*child));
  } else {
    --n_children_;
  }
  changed_.notify_one();
}

Result<RawPrompt> TemplateWorker::Render(const ChatRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(FramedChild child, Take());
  const auto answer = child.Ask(Dump(ToJson(request)), limit_, kLargestPrompt);
  if (!answer) {
    GiveBack(std::nullopt);
    return Fail(ErrorCode::kInvalidArgument, "messages",
                fmt::format("the chat template fails on this conversation: its process {}", answer.error().problem));
  }
  GiveBack(std::move(child));
  return ReadPrompt(*answer);
}

void RunTemplateWorker() {
  Child child;
  ServeFrames({}, [&](const std::string& question) { return child.Reply(question); });
}

}  // namespace isoveil
