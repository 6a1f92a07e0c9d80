#include "isoveil/tokenizer/chat_template.h"

#include <chat.h>
#include <log.h>

#include <algorithm>
#include <exception>
#include <mutex>

#include "isoveil/base/strict_json.h"
#include "isoveil/tokenizer/chat_messages.h"
#include "isoveil/tokenizer/llama_runtime.h"
#include "isoveil/tokenizer/template_worker.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// llama.cpp's common library logs answers that it cannot parse.
void SilenceCommon() {
  constexpr int kNothing = -1;
  static std::once_flag once;
  std::call_once(once, [] { common_log_set_verbosity_thold(kNothing); });
}

common_json ToCommon(const ordered_json& json) { return common_json::parse(json.dump()); }

// Null fields are as good as missing ones, but llama.cpp reads them as text.
ordered_json WithoutNulls(const ordered_json& list) {
  ordered_json out = ordered_json::array();
  for (const ordered_json& entry : list) {
    ordered_json kept = ordered_json::object();
    for (const auto& [name, value] : entry.items()) {
      if (!value.is_null() || name == "content") kept[name] = value;
    }
    out.push_back(std::move(kept));
  }
  return out;
}

// What the template says with raise_exception, if it is a sentence that stands in the template itself and so
// holds nothing of the messages.
std::string Complaint(std::string_view what, std::string_view source) {
  constexpr std::string_view kMark = "Jinja Exception: ";
  const size_t begin = what.rfind(kMark);
  if (begin != std::string_view::npos) {
    const std::string_view text = what.substr(begin + kMark.size());
    if (!text.empty() && source.find(text) != std::string_view::npos) {
      return fmt::format("the chat template refuses the messages: {}", Quoted(text));
    }
  }
  return "the chat template cannot be applied to the messages";
}

}  // namespace

struct ChatParser::Impl {
  common_chat_parser_params params;
};

struct ChatTemplate::Impl {
  std::string source;
  std::string bos_token;
  common_chat_templates_ptr templates;
  std::unique_ptr<TemplateWorker> worker;  // instead of `templates`
  // Without tools the answer is text and nothing else, and so no request needs llama.cpp's analysis of the
  // template, which takes longer than all else that a request costs.
  bool gives_text_only = false;

  void Analyse();
};

// Compares both ways for a conversation with everything that has a place in the prompt of a text-only
// template.
void ChatTemplate::Impl::Analyse() {
  common_chat_templates_inputs inputs;
  for (const auto& [role, text] :
       {std::pair{"system", "Be brief."}, {"user", "One?"}, {"assistant", "Two."}, {"user", " Three? "}}) {
    common_chat_msg message;
    message.role = role;
    message.content = text;
    inputs.messages.push_back(message);
  }
  try {
    const common_chat_params analysed = common_chat_templates_apply(templates.get(), inputs);
    inputs.force_pure_content = true;
    const common_chat_params pure = common_chat_templates_apply(templates.get(), inputs);
    gives_text_only = !analysed.supports_thinking && analysed.additional_stops.empty() &&
                      analysed.preserved_tokens.empty() && analysed.prompt == pure.prompt;
  } catch (const std::exception&) {
    gives_text_only = false;  // such a conversation is not what the template takes
  }
}

Result<ordered_json> ChatParser::Parse(std::string_view answer, bool partial) const {
  // llama.cpp's parser recurses for each bracket; a model that loops on one writes thousands.
  if (IsNestedTooDeep(answer)) return Fail(ErrorCode::kFormat, "answer", "nests too many brackets to be parsed");
  try {
    const common_chat_msg message = common_chat_parse(std::string(answer), partial, impl_->params);
    return ordered_json::parse(message.to_json_oaicompat().dump_safe());
  } catch (const std::exception&) {
    return Fail(ErrorCode::kFormat, "answer", "does not have the form that the chat template gives answers");
  }
}

Result<ChatTemplate> ChatTemplate::Parse(std::string source, std::string bos_token, const std::string& eos_token) {
  StartLlama();
  SilenceCommon();
  if (source.empty()) return Fail(ErrorCode::kFormat, "chat template", "is empty");
  try {
    // The library's own initialisation forgets why it failed.
    const common_chat_template parsed(source, bos_token, eos_token);
    auto impl = std::make_shared<Impl>();
    impl->templates = common_chat_templates_init(nullptr, source, bos_token, eos_token);
    impl->source = std::move(source);
    impl->bos_token = std::move(bos_token);
    impl->Analyse();
    return ChatTemplate(std::move(impl));
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kFormat, "chat template",
                fmt::format("is no template that can be run: {}", Quoted(error.what())));
  }
}

Result<ChatTemplate> ChatTemplate::Isolate(TemplateSource source, std::vector<std::string> command,
                                           std::chrono::milliseconds limit) {
  StartLlama();
  SilenceCommon();
  auto impl = std::make_shared<Impl>();
  impl->source = source.source;
  impl->bos_token = source.bos_token;
  ISOVEIL_ASSIGN_OR_RETURN(impl->worker, TemplateWorker::Start(std::move(command), std::move(source), limit));
  return ChatTemplate(std::move(impl));
}

Result<TemplateSource> ChatTemplate::SourceOf(const Vocabulary& vocabulary) {
  if (vocabulary.chat_template().empty()) {
    return Fail(ErrorCode::kNotFound, "chat template", "the model has none", "use plain completions");
  }
  const auto name = [&](std::optional<PlainId> id) -> std::string {
    if (!id) return "";
    const auto piece = vocabulary.Piece(*id, /*special=*/true);
    return piece ? std::string(*piece) : "";
  };
  return TemplateSource{vocabulary.chat_template(), name(vocabulary.special_ids().bos),
                        name(vocabulary.special_ids().eos)};
}

namespace {

Status CheckRequest(const ChatRequest& request) {
  ISOVEIL_RETURN_IF_ERROR(CheckMessages(request.messages));
  ISOVEIL_RETURN_IF_ERROR(CheckTools(request.tools));
  if (request.tool_choice != "auto" && request.tool_choice != "none" && request.tool_choice != "required") {
    return Fail(ErrorCode::kInvalidArgument, "tool_choice", "expected auto, none or required");
  }
  if (!request.kwargs.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "chat_template_kwargs", "expected an object");
  }
  return Ok();
}

bool ContinuesAnswer(const ChatRequest& request) {
  return !request.add_generation_prompt && request.messages.back()["role"] == "assistant";
}

common_reasoning_format FormatOf(ReasoningFormat format) {
  return format == ReasoningFormat::kSeparate ? COMMON_REASONING_FORMAT_DEEPSEEK : COMMON_REASONING_FORMAT_NONE;
}

common_chat_templates_inputs InputsOf(const ChatRequest& request) {
  common_chat_templates_inputs inputs;
  inputs.messages = common_chat_msgs_parse_oaicompat(ToCommon(WithoutNulls(request.messages)));
  inputs.tools = common_chat_tools_parse_oaicompat(ToCommon(request.tools));
  inputs.tool_choice = common_chat_tool_choice_parse_oaicompat(request.tool_choice);
  inputs.parallel_tool_calls = request.parallel_tool_calls;
  inputs.enable_thinking = request.enable_thinking;
  inputs.reasoning_format = FormatOf(request.reasoning);
  inputs.add_generation_prompt = request.add_generation_prompt;
  if (ContinuesAnswer(request)) inputs.continue_final_message = COMMON_CHAT_CONTINUATION_AUTO;
  for (const auto& [name, value] : request.kwargs.items()) inputs.chat_template_kwargs[name] = value.dump();
  return inputs;
}

// In llama.cpp's parsers content and thoughts are texts until one of some delimiters, or until the end.
void CollectMarkers(const ordered_json& node, RenderedPrompt& prompt) {
  for (const auto& [name, value] : node.items()) {
    if (name != "delimiters") {
      if (value.is_structured()) CollectMarkers(value, prompt);
      continue;
    }
    for (const ordered_json& delimiter : value) {
      const auto& text = delimiter.get_ref<const std::string&>();
      prompt.longest_marker = std::max(prompt.longest_marker, text.size());
      if (!text.empty() && prompt.markers.find(text.front()) == std::string::npos) prompt.markers += text.front();
    }
  }
}

}  // namespace

Result<RawPrompt> ChatTemplate::RenderRaw(const ChatRequest& request) const {
  try {
    common_chat_templates_inputs inputs = InputsOf(request);
    inputs.force_pure_content = impl_->gives_text_only && request.tools.empty() && !ContinuesAnswer(request);
    common_chat_params params = common_chat_templates_apply(impl_->templates.get(), inputs);
    return RawPrompt{.text = std::move(params.prompt),
                     .format = params.format,
                     .parser = std::move(params.parser),
                     .generation_prompt = std::move(params.generation_prompt),
                     .supports_thinking = params.supports_thinking,
                     .stops = std::move(params.additional_stops),
                     .kept_tokens = std::move(params.preserved_tokens)};
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInvalidArgument, "messages", Complaint(error.what(), impl_->source));
  }
}

Result<RenderedPrompt> ChatTemplate::Render(const ChatRequest& request) const {
  ISOVEIL_RETURN_IF_ERROR(CheckRequest(request));
  ISOVEIL_ASSIGN_OR_RETURN(RawPrompt raw, impl_->worker ? impl_->worker->Render(request) : RenderRaw(request));
  auto parser = std::make_shared<ChatParser::Impl>();
  parser->params.format = static_cast<common_chat_format>(raw.format);
  parser->params.generation_prompt = std::move(raw.generation_prompt);
  parser->params.reasoning_format = FormatOf(request.reasoning);
  parser->params.parse_tool_calls = !request.tools.empty() && request.tool_choice != "none";
  parser->params.is_continuation = ContinuesAnswer(request);
  RenderedPrompt prompt;
  try {
    if (!raw.parser.empty()) {
      // Another process may have written it: read here before llama.cpp reads it.
      ISOVEIL_ASSIGN_OR_RETURN(const ordered_json form, ParseStrictJson(raw.parser, "chat template", kMaxNesting));
      parser->params.parser.load(raw.parser);
      CollectMarkers(form, prompt);
    }
  } catch (const std::exception&) {
    return Fail(ErrorCode::kInvalidArgument, "messages", "the chat template makes no form of answers that can be read");
  }
  prompt.text = std::move(raw.text);
  prompt.has_bos = !impl_->bos_token.empty() && prompt.text.starts_with(impl_->bos_token);
  prompt.stops = std::move(raw.stops);
  prompt.kept_tokens = std::move(raw.kept_tokens);
  prompt.verbatim = request.tools.empty() && !raw.supports_thinking;
  prompt.parser.impl_ = std::move(parser);
  return prompt;
}

}  // namespace isoveil
