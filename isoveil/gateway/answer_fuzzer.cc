// An answer, as it arrives: two bytes choose a template and the length of pieces. What a client puts together from the
// deltas is the message, and the parser does not read more than its budget.
#include "isoveil/base/utf8.h"
#include "isoveil/gateway/message_builder.h"
#include "isoveil/tokenizer/test_vocabularies.h"
#include "tests/fuzz/require.h"

namespace isoveil {
namespace {

// One of each way to tell thoughts and calls from content.
constexpr const char* kTemplates[] = {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
                                      "Qwen-Qwen3-0.6B",
                                      "Qwen3-Coder",
                                      "openai-gpt-oss-120b",
                                      "deepseek-ai-DeepSeek-V3.1",
                                      "meta-llama-Llama-3.1-8B-Instruct",
                                      "mistralai-Mistral-Nemo-Instruct-2407",
                                      "google-gemma-4-31B-it",
                                      "GLM-4.6",
                                      "Kimi-K2-Instruct"};

std::vector<RenderedPrompt> Prompts() {
  std::vector<RenderedPrompt> prompts;
  const Json tools = Json::parse(R"([{"type": "function", "function": {"name": "weather", "parameters": {
      "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}}])");
  for (const char* name : kTemplates) {
    const auto chat = ChatTemplate::Parse(
        ReadBytes(Path(ISOVEIL_LLAMA_PREFIX) / "models/templates" / (std::string(name) + ".jinja")), "<s>", "</s>");
    for (const bool with_tools : {false, true}) {
      ChatRequest request{.messages = Json::parse(R"([{"role": "user", "content": "Weather in Bern?"}])")};
      if (with_tools) request.tools = tools;
      prompts.push_back(chat->Render(request).value());
    }
  }
  return prompts;
}

// What a client has after all deltas.
class Client {
 public:
  void Take(const MessageDelta& delta) {
    content_ += delta.content;
    reasoning_ += delta.reasoning;
    for (const ToolCallDelta& call : delta.calls) {
      Require(call.index <= arguments_.size(), "calls come in order");
      if (call.index == arguments_.size())
        arguments_.emplace_back();
      else
        Require(call.id.empty() && call.name.empty(), "id and name come once");
      arguments_[call.index] += call.arguments;
    }
  }
  void RequireToHave(const Json& message) const {
    Require(message.value("reasoning_content", "") == reasoning_, "the thoughts are the deltas");
    Require(message["content"].is_null() ? content_.empty() : message["content"] == content_,
            "the content is the deltas");
    const Json calls = message.value("tool_calls", Json::array());
    Require(calls.size() == arguments_.size(), "the calls are the deltas");
    for (size_t i = 0; i < calls.size(); ++i) {
      Require(calls[i]["function"]["arguments"] == arguments_[i], "their arguments are the deltas");
    }
  }

 private:
  std::string content_, reasoning_;
  std::vector<std::string> arguments_;
};

// Up to `n` bytes and the rest of a character.
std::string_view TakePiece(std::string_view& text, size_t n) {
  size_t end = std::min(n, text.size());
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  const std::string_view piece = text.substr(0, end);
  text.remove_prefix(end);
  return piece;
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  static const std::vector<RenderedPrompt> prompts = Prompts();
  if (size < 2) return 0;
  const RenderedPrompt& prompt = prompts[data[0] % prompts.size()];
  std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  if (!IsUtf8(text)) return 0;
  MessageBuilder builder(prompt);
  Client client;
  size_t n_pieces = 0;
  const size_t whole = text.size();
  for (; !text.empty(); ++n_pieces) client.Take(builder.Append(TakePiece(text, 1 + data[1] % 16)));
  client.Take(builder.Finish());
  const Json message = builder.message();
  client.RequireToHave(message);
  Require(IsUtf8(message.dump()), "a message is UTF-8");
  Require(builder.parsed_bytes() <= (64 << 10) + 400 * n_pieces + whole, "the parser keeps to its budget");
  return 0;
}
