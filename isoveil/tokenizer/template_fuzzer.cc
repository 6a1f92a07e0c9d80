// Any text as a chat template, run in a process of its own as the gateway does: whatever it does there, here it is a
// prompt or an error.
#include "isoveil/base/utf8.h"
#include "isoveil/tokenizer/chat_template.h"
#include "tests/fuzz/require.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

const ordered_json kMessages = {{{"role", "system"}, {"content", "Be brief."}},
                                {{"role", "user"}, {"content", "Weather in Bern?"}},
                                {{"role", "assistant"}, {"content", "Sunny."}},
                                {{"role", "user"}, {"content", "And tomorrow?"}}};
const ordered_json kTools = ordered_json::parse(R"([{"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}}])");

void Check(const Result<RenderedPrompt>& prompt) {
  if (!prompt) {
    Require(!prompt.error().where.empty() && !prompt.error().problem.empty(), "errors say where and what");
    Require(prompt.error().Message().find("Bern") == std::string::npos, "errors hold nothing of the messages");
    return;
  }
  Require(IsUtf8(prompt->text), "a prompt is UTF-8");
  for (const bool partial : {true, false}) (void)prompt->parser.Parse("It <is> {\"a\": [", partial);
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  const std::string source(reinterpret_cast<const char*>(data), size);
  if (source.find("Bern") != std::string::npos) return 0;  // its own words may be quoted
  const auto chat = ChatTemplate::Isolate({source, "<s>", "</s>"}, {ISOVEIL_TEMPLATE_WORKER}, std::chrono::seconds(1));
  if (!chat) {
    Require(!chat.error().where.empty() && !chat.error().problem.empty(), "errors say where and what");
    return 0;
  }
  Check(chat->Render({.messages = kMessages}));
  Check(chat->Render({.messages = kMessages, .tools = kTools}));
  return 0;
}
