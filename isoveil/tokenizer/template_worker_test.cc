#include "isoveil/tokenizer/template_worker.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

const std::vector<std::string> kCommand = {ISOVEIL_TEMPLATE_WORKER};

ChatRequest Asks(const std::string& text) {
  return {.messages = ordered_json::array({{{"role", "user"}, {"content", text}}})};
}

Result<ChatTemplate> Isolated(const std::string& source) {
  return ChatTemplate::Isolate({source, "<s>", "</s>"}, kCommand);
}

// With tools and without, for each template that llama.cpp brings: the same prompt, and a parser that reads the same.
TEST(TemplateWorker, MakesWhatTheTemplateMakesInThisProcess) {
  const ordered_json tools = ordered_json::parse(R"([{"type": "function", "function": {
      "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}])");
  int compared = 0;
  for (const auto& file : std::filesystem::directory_iterator(Path(ISOVEIL_LLAMA_PREFIX) / "models/templates")) {
    if (file.path().extension() != ".jinja") continue;
    const std::string source = ReadBytes(file.path());
    const auto near = ChatTemplate::Parse(source, "<s>", "</s>");
    const auto far = Isolated(source);
    ASSERT_EQ(near.has_value(), far.has_value()) << file.path();
    if (!near || ++compared % 6 != 0) continue;
    for (const bool with_tools : {false, true}) {
      ChatRequest request = Asks("Weather in Zürich?");
      if (with_tools) request.tools = tools;
      const auto one = near->Render(request);
      const auto other = far->Render(request);
      ASSERT_EQ(one.has_value(), other.has_value()) << file.path();
      if (!one) continue;
      EXPECT_EQ(one->text, other->text);
      EXPECT_EQ(one->stops, other->stops);
      EXPECT_EQ(one->kept_tokens, other->kept_tokens);
      EXPECT_EQ(one->verbatim, other->verbatim);
      const std::string answer =
          "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}\n</tool_call>";
      EXPECT_EQ(one->parser.Parse(answer).value_or(nullptr), other->parser.Parse(answer).value_or(nullptr));
    }
  }
  EXPECT_GT(compared, 30);
}

TEST(TemplateWorker, AHostileTemplateIsRefusedAtTheStart) {
  std::string doubling =
      "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}";
  for (const std::string& source : {std::string("{% for i in range(1000000000) %}{{ i }}{% endfor %}"), doubling,
                                    "{{ " + std::string(100'000, '(') + "1" + std::string(100'000, ')') + " }}",
                                    std::string("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")}) {
    const auto chat = ChatTemplate::Isolate({source, "<s>", "</s>"}, kCommand, std::chrono::seconds(2));
    if (chat) {  // one whose trial conversation is not rendered may fail later, and alone
      EXPECT_FALSE(chat->Render(Asks("x")).has_value()) << source.substr(0, 60);
    } else {
      EXPECT_EQ(chat.error().code, ErrorCode::kFormat) << chat.error().Message();
    }
  }
}

// Well behaved until one conversation: the others go on.
TEST(TemplateWorker, AConversationThatBreaksTheTemplateBreaksNothingElse) {
  const auto chat = Isolated(
      "{% macro f() %}{{ f() }}{% endmacro %}"
      "{% for m in messages %}{{ m.content }}{% if m.content == 'deep' %}{{ f() }}{% endif %}{% endfor %}");
  ASSERT_TRUE(chat.has_value()) << chat.error().Message();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&chat, i] {
      for (int round = 0; round < 4; ++round) {
        const bool bad = (i + round) % 4 == 0;
        const auto prompt = chat->Render(Asks(bad ? "deep" : "fine"));
        EXPECT_EQ(prompt.has_value(), !bad);
        if (prompt) {
          EXPECT_EQ(prompt->text, "fine");
        } else {
          EXPECT_EQ(prompt.error().code, ErrorCode::kInvalidArgument);
          EXPECT_EQ(prompt.error().Message().find("deep"), std::string::npos) << "words of a message";
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A child that a template has taken over: it says it is ready, and answers the first conversation with `answer`.
Result<RenderedPrompt> AnsweredWith(const std::string& answer) {
  const auto octal = [](const std::string& text) {
    std::string out;
    const auto size = static_cast<uint64_t>(text.size());
    for (int i = 0; i < 8; ++i) out += fmt::format("\\{:03o}", size >> (8 * i) & 0xff);
    return out;
  };
  const Path file = testing::TempDir() + "isoveil-answer";
  std::ofstream(file, std::ios::binary) << answer;
  const std::string script = fmt::format("printf '{}{{}}{}' >&0; cat '{}' >&0; exec cat >/dev/null", octal("{}"),
                                         octal(answer), file.string());
  const auto chat =
      ChatTemplate::Isolate({"{{ messages[0].content }}", "", ""}, {"/bin/sh", "-c", script}, std::chrono::seconds(5));
  EXPECT_TRUE(chat.has_value());
  return chat->Render(Asks("x"));
}

TEST(TemplateWorker, WhatItAnswersIsForeign) {
  const std::string good =
      R"({"text":"hello","format":0,"parser":"","generation_prompt":"","supports_thinking":false,"stops":[],"kept_tokens":[])";
  ASSERT_EQ(AnsweredWith(good + "}").value().text, "hello");
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& answer :
       {deep, good + R"(,"more":)" + deep + "}", good + R"(,"text":"other"})", std::string("{}"), std::string("null"),
        std::string(R"({"text":5})"), std::string(R"({"error":5})"), std::string(R"({"error":{"code":"x"}})"),
        std::string(R"({"error":{"code":99,"where":"","problem":""}})"), R"({"error":)" + deep + "}"}) {
    const auto prompt = AnsweredWith(answer);
    ASSERT_FALSE(prompt) << answer.substr(0, 80);
    EXPECT_EQ(prompt.error().Message(), "chat template: its process writes no answer") << answer.substr(0, 80);
  }
  // The form of answers is JSON in a string.
  const std::string form = R"({"text":"","format":0,"parser":")" + deep +
                           R"(","generation_prompt":"","supports_thinking":false,"stops":[],"kept_tokens":[]})";
  EXPECT_EQ(AnsweredWith(form).error().Message(), "chat template: is nested deeper than 256");
}

TEST(TemplateWorker, AProgramThatIsNoWorkerIsAnError) {
  EXPECT_FALSE(ChatTemplate::Isolate({"{{ messages[0].content }}", "", ""}, {"/nonexistent/program"}).has_value());
  EXPECT_FALSE(ChatTemplate::Isolate({"{{ messages[0].content }}", "", ""}, {"/bin/true"}).has_value());
}

}  // namespace
}  // namespace isoveil
