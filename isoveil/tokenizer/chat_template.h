// A conversation to the one text that the model was trained on, and the model's answer back to a
// message with its tool calls: the model's own Jinja template, run by llama.cpp.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto chat, ChatTemplate::FromVocabulary(vocabulary));
//   ISOVEIL_ASSIGN_OR_RETURN(auto prompt, chat.Render({.messages = messages, .tools = tools}));
//   auto ids = vocabulary.Tokenize(prompt.text, {.add_special = !prompt.has_bos, .parse_special = true});
//   ...
//   ISOVEIL_ASSIGN_OR_RETURN(auto message, prompt.parser.Parse(answer));
//
// Messages and tools have the form of OpenAI's chat completions. A template is immutable and may be used
// from many threads. Errors quote the template's own complaint ("roles must alternate") and may hold words of
// the template, never of the messages.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {

// How thoughts of a reasoning model are told from its answer.
enum class ReasoningFormat {
  kInContent,  // they stay in `content`
  kSeparate,   // they go to `reasoning_content`
};

struct ChatRequest {
  nlohmann::ordered_json messages;                                   // [{"role": ..., "content": ...}, ...]
  nlohmann::ordered_json tools = nlohmann::ordered_json::array();    // [{"type": "function", ...}, ...]
  std::string tool_choice = "auto";                                  // auto, none or required
  nlohmann::ordered_json kwargs = nlohmann::ordered_json::object();  // further variables of the template
  bool parallel_tool_calls = false;
  bool enable_thinking = true;
  ReasoningFormat reasoning = ReasoningFormat::kSeparate;
  // False continues the last message instead of starting an answer.
  bool add_generation_prompt = true;
};

// Turns an answer to a message. A copy shares what it knows of the template.
class ChatParser {
 public:
  // {"role": "assistant", "content": ..., "reasoning_content": ..., "tool_calls": [...]} with the fields
  // that the answer has. `partial` accepts the beginning of an answer, for streaming. kFormat if the
  // answer does not have the template's form.
  Result<nlohmann::ordered_json> Parse(std::string_view answer, bool partial = false) const;

 private:
  friend class ChatTemplate;
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

struct RenderedPrompt {
  std::string text;
  bool has_bos = false;                  // the text begins with the BOS token: do not add another
  std::vector<std::string> stops;        // further texts that end the answer
  std::vector<std::string> kept_tokens;  // control tokens that the parser needs to see in the answer
  // The template gives answers no form of their own (no tools, no thoughts): the text is the content.
  bool verbatim = false;
  // The characters that may begin something else than plain text: the first ones of the form's delimiters.
  std::string markers;
  size_t longest_marker = 0;
  ChatParser parser;
};

// A template, and the texts of BOS and EOS, which templates insert.
struct TemplateSource {
  std::string source;
  std::string bos_token;
  std::string eos_token;
};

// What the template's own code makes of a request, in plain values that can cross between processes.
struct RawPrompt {
  std::string text;
  int format = 0;  // llama.cpp's number of the answer's form
  std::string parser;
  std::string generation_prompt;
  bool supports_thinking = false;
  std::vector<std::string> stops;
  std::vector<std::string> kept_tokens;
};

class ChatTemplate {
 public:
  // Runs the template in this process: for templates that are trusted. kFormat if it is no template that can be run.
  static Result<ChatTemplate> Parse(std::string source, std::string bos_token, const std::string& eos_token);
  // Runs it in processes of its own, which `command` starts and which call RunTemplateWorker; none for longer than
  // `limit` at a time.
  static Result<ChatTemplate> Isolate(TemplateSource source, std::vector<std::string> command,
                                      std::chrono::milliseconds limit = std::chrono::seconds(10));
  // The template that came with the model; kNotFound if it has none.
  static Result<TemplateSource> SourceOf(const Vocabulary& vocabulary);

  // kInvalidArgument for messages that the template refuses or that are malformed.
  Result<RenderedPrompt> Render(const ChatRequest& request) const;
  // The part of it that runs the template's code; the request must have passed CheckMessages and CheckTools.
  Result<RawPrompt> RenderRaw(const ChatRequest& request) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace isoveil
