#include "isoveil/tokenizer/chat_template.h"

#include <chat.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "isoveil/tokenizer/chat_messages.h"
#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

ChatTemplate Template(const std::string& name, const char* bos = "<s>", const char* eos = "</s>") {
  const Path path = Path(ISOVEIL_LLAMA_PREFIX) / "models/templates" / (name + ".jinja");
  return ChatTemplate::Parse(ReadBytes(path), bos, eos).value();
}

ordered_json Messages(const char* text) { return ordered_json::parse(text); }

const ordered_json kTools = ordered_json::parse(R"([{"type": "function", "function": {
  "name": "weather", "description": "The weather of a city",
  "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])");

struct Rendering {
  const char* name;
  const char* text;
};
class EveryTemplate : public testing::TestWithParam<Rendering> {};

TEST_P(EveryTemplate, RendersAsTheModelWasTrained) {
  const auto prompt = Template(GetParam().name).Render({.messages = Messages(R"([
    {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Bye {{ 1 + 1 }}"}])")});
  ASSERT_TRUE(prompt) << prompt.error().Message();
  EXPECT_NE(prompt->text.find(GetParam().text), std::string::npos) << prompt->text;
}

INSTANTIATE_TEST_SUITE_P(
    Families, EveryTemplate,
    testing::Values(
        Rendering{"Qwen-Qwen2.5-7B-Instruct",
                  "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
                  "<|im_start|>user\nBye {{ 1 + 1 }}<|im_end|>\n<|im_start|>assistant\n"},
        Rendering{"Qwen-Qwen3-0.6B", "<|im_start|>user\nBye {{ 1 + 1 }}<|im_end|>\n<|im_start|>assistant\n"},
        Rendering{"meta-llama-Llama-3.1-8B-Instruct",
                  "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                  "<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>"},
        Rendering{"google-gemma-2-2b-it",
                  "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n"
                  "<start_of_turn>user\nBye {{ 1 + 1 }}<end_of_turn>\n<start_of_turn>model\n"},
        Rendering{"mistralai-Mistral-Nemo-Instruct-2407", "[INST]Hi[/INST]Hello.</s>[INST]Bye {{ 1 + 1 }}[/INST]"},
        Rendering{"microsoft-Phi-3.5-mini-instruct",
                  "<|user|>\nHi<|end|>\n<|assistant|>\nHello.<|end|>\n<|user|>\nBye {{ 1 + 1 "
                  "}}<|end|>\n<|assistant|>\n"}));

// Each of these ended the process: the template's code and the parser recurse for every bracket.
TEST(ChatTemplate, DeepArgumentsAndAnswersAreNoWayIntoTheStack) {
  for (const char* name :
       {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B"}) {
    const ChatTemplate chat = Template(name);
    for (const int n : {kMaxNesting - 1, 60'000}) {
      ordered_json messages = Messages(R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "",
          "tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather"}}]}])");
      messages[1]["tool_calls"][0]["function"]["arguments"] =
          R"({"a":)" + std::string(static_cast<size_t>(n), '[') + std::string(static_cast<size_t>(n), ']') + "}";
      const auto prompt = chat.Render({.messages = messages, .tools = kTools});
      EXPECT_EQ(prompt.has_value(), n < kMaxNesting) << name;
      if (!prompt) {
        EXPECT_EQ(prompt.error().where, "messages[1].tool_calls[0].function.arguments");
      }
    }
    const auto parser =
        chat.Render({.messages = Messages(R"([{"role": "user", "content": "x"}])"), .tools = kTools})->parser;
    for (const bool partial : {true, false}) {
      const std::string call = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": ";
      (void)parser.Parse(call + std::string(kMaxNesting - 3, '['), partial);
      EXPECT_FALSE(parser.Parse(call + std::string(1 << 20, '['), partial));
    }
  }
}

// Wherever a list begins, strings in it hide no bracket.
TEST(ChatTemplate, StringsHideNoNesting) {
  const auto repeated = [](std::string_view part) {
    std::string text;
    for (int i = 0; i < 60'000; ++i) text += part;
    return text;
  };
  for (const char* before : {"", "say \"", "it's ", "\\\" '", "{\"a\": "}) {
    for (const char* part : {"[", "{\"]\":", "[\"]\",", "[\"\\\"]\",", "[\"'\",']',", "[']',", "{'}': "}) {
      EXPECT_TRUE(IsNestedTooDeep(before + repeated(part))) << before << part;
    }
    for (const char* part : {"[]", "{\"a\": [\"it's\"]}, ", "\\[ x \\]", "a['b'] = c[\"d\"]; // don't\n"}) {
      EXPECT_FALSE(IsNestedTooDeep(before + repeated(part))) << before << part;
    }
  }
}

// The short way for templates that give text only, against llama.cpp's own for each of its templates.
TEST(ChatTemplate, RendersWhatTheWholeAnalysisRenders) {
  const std::vector<ordered_json> conversations = {
      Messages(R"([{"role": "user", "content": "Hi"}])"),
      Messages(R"([{"role": "system", "content": " Be brief.\n"}, {"role": "user", "content": "Zoë?\n\n"}])"),
      Messages(R"([{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "a"},
                   {"role": "assistant", "content": "b"}, {"role": "user", "content": "{{ c }}"}])"),
      Messages(R"([{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}])")};
  int text_only = 0;
  for (const auto& file : std::filesystem::directory_iterator(Path(ISOVEIL_LLAMA_PREFIX) / "models/templates")) {
    if (file.path().extension() != ".jinja") continue;
    const std::string source = ReadBytes(file.path());
    const auto ours = ChatTemplate::Parse(source, "<s>", "</s>");
    const auto theirs = common_chat_templates_init(nullptr, source, "<s>", "</s>");
    for (const ordered_json& messages : conversations) {
      const auto prompt = ours->Render({.messages = messages});
      common_chat_templates_inputs inputs;
      inputs.messages = common_chat_msgs_parse_oaicompat(common_json::parse(messages.dump()));
      inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
      std::optional<common_chat_params> expected;
      try {
        expected = common_chat_templates_apply(theirs.get(), inputs);
      } catch (const std::exception&) {
      }
      ASSERT_EQ(prompt.has_value(), expected.has_value()) << file.path();
      if (!prompt) continue;
      EXPECT_EQ(prompt->text, expected->prompt) << file.path();
      EXPECT_EQ(prompt->stops, expected->additional_stops) << file.path();
      EXPECT_EQ(prompt->kept_tokens, expected->preserved_tokens) << file.path();
      EXPECT_EQ(prompt->verbatim, !expected->supports_thinking) << file.path();
      text_only += prompt->verbatim;
    }
  }
  EXPECT_GT(text_only, 20);
}

TEST(ChatTemplate, KnowsWhetherTheTextBeginsWithBos) {
  const ordered_json hi = Messages(R"([{"role": "user", "content": "Hi"}])");
  EXPECT_TRUE(Template("google-gemma-2-2b-it", "<bos>").Render({.messages = hi})->has_bos);
  EXPECT_FALSE(Template("Qwen-Qwen2.5-7B-Instruct", "").Render({.messages = hi})->has_bos);
}

TEST(ChatTemplate, ContinuesTheLastMessage) {
  const auto prompt = Template("Qwen-Qwen2.5-7B-Instruct")
                          .Render({.messages = Messages(R"([{"role": "user", "content": "Count"},
                                     {"role": "assistant", "content": "one two"}])"),
                                   .add_generation_prompt = false});
  ASSERT_TRUE(prompt) << prompt.error().Message();
  EXPECT_TRUE(prompt->text.ends_with("<|im_start|>assistant\none two")) << prompt->text;
}

// The field is named; what it holds is not quoted.
TEST(ChatTemplate, HostileMessagesAreRefusedByField) {
  const ChatTemplate chat = Template("Qwen-Qwen2.5-7B-Instruct");
  const std::pair<const char*, const char*> cases[] = {
      {R"("SECRET")", "messages"},
      {R"([])", "messages"},
      {R"({"role": "user", "content": "SECRET"})", "messages"},
      {R"(["SECRET"])", "messages[0].role"},
      {R"([{"content": "SECRET"}])", "messages[0].role"},
      {R"([{"role": ["SECRET"], "content": "x"}])", "messages[0].role"},
      {R"([{"role": "user"}])", "messages[0].content"},
      {R"([{"role": "user", "content": {"SECRET": 1}}])", "messages[0].content"},
      {R"([{"role": "user", "content": 12345678}])", "messages[0].content"},
      {R"([{"role": "user", "content": [{"text": "SECRET"}]}])", "messages[0].content[0]"},
      {R"([{"role": "user", "content": [{"type": "text", "text": ["SECRET"]}]}])", "messages[0].content[0].text"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "SECRET"}}]}])",
       "messages[0].content[0].type"},
      {R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": null, "tool_calls": "SECRET"}])",
       "messages[1].tool_calls"},
      {R"([{"role": "assistant", "tool_calls": [{"type": "SECRET"}]}])", "messages[0].tool_calls[0].type"},
      {R"([{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": ["SECRET"]}}]}])",
       "messages[0].tool_calls[0].function.name"},
      {R"([{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": ["SECRET"]}}]}])",
       "messages[0].tool_calls[0].function.arguments"},
      {R"([{"role": "user", "content": "x", "name": {"SECRET": 1}}])", "messages[0].name"},
  };
  for (const auto& [messages, field] : cases) {
    const auto prompt = chat.Render({.messages = Messages(messages)});
    ASSERT_FALSE(prompt) << messages;
    EXPECT_EQ(prompt.error().where, field) << messages;
    EXPECT_EQ((prompt.error().Message() + prompt.error().hint).find("SECRET"), std::string::npos) << messages;
  }
}

TEST(ChatTemplate, HostileToolsAreRefusedByField) {
  const ChatTemplate chat = Template("Qwen-Qwen2.5-7B-Instruct");
  const ordered_json hi = Messages(R"([{"role": "user", "content": "Hi"}])");
  const std::pair<const char*, const char*> cases[] = {
      {R"({"a": 1})", "tools"},
      {R"(["x"])", "tools[0].type"},
      {R"([{"type": "function"}])", "tools[0].function.name"},
      {R"([{"type": "function", "function": {"name": 1}}])", "tools[0].function.name"},
      {R"([{"type": "function", "function": {"name": "f", "description": 1}}])", "tools[0].function.description"},
      {R"([{"type": "function", "function": {"name": "f", "parameters": "x"}}])", "tools[0].function.parameters"},
  };
  for (const auto& [tools, field] : cases) {
    const auto prompt = chat.Render({.messages = hi, .tools = Messages(tools)});
    ASSERT_FALSE(prompt) << tools;
    EXPECT_EQ(prompt.error().where, field) << tools;
  }
  EXPECT_EQ(chat.Render({.messages = hi, .tool_choice = "perhaps"}).error().where, "tool_choice");
  EXPECT_EQ(chat.Render({.messages = hi, .kwargs = 7}).error().where, "chat_template_kwargs");
}

// A template's own complaint is passed on, but only words that stand in the template.
TEST(ChatTemplate, RefusalsOfTheTemplateHoldNoMessage) {
  const auto system = Template("google-gemma-2-2b-it").Render({.messages = Messages(R"([
    {"role": "user", "content": "a SECRET"}, {"role": "user", "content": "b SECRET"}])")});
  ASSERT_FALSE(system);
  EXPECT_NE(system.error().problem.find("roles must alternate"), std::string::npos) << system.error().problem;
  EXPECT_EQ(system.error().Message().find("SECRET"), std::string::npos);
  const auto quoting = ChatTemplate::Parse("{{ raise_exception('no: ' + messages[0]['content']) }}", "<s>", "</s>");
  ASSERT_TRUE(quoting) << quoting.error().Message();
  const auto prompt = quoting->Render({.messages = Messages(R"([{"role": "user", "content": "SECRET"}])")});
  ASSERT_FALSE(prompt);
  EXPECT_EQ(prompt.error().Message().find("SECRET"), std::string::npos) << prompt.error().Message();
}

TEST(ChatTemplate, RefusesWhatIsNoTemplate) {
  for (const char* source : {"", "{% for %}", "{{ ", "{% if x %}", "{{ unknown_function() | no_filter }"}) {
    const auto chat = ChatTemplate::Parse(source, "<s>", "</s>");
    if (chat) {
      EXPECT_FALSE(chat->Render({.messages = Messages(R"([{"role": "user", "content": "x"}])")})) << source;
    } else {
      EXPECT_EQ(chat.error().code, ErrorCode::kFormat) << source;
    }
  }
  const Vocabulary vocabulary = Vocabulary::FromMetadata(SmallByteLevel(), "test").value();
  EXPECT_EQ(ChatTemplate::SourceOf(vocabulary).error().code, ErrorCode::kNotFound);
}

struct Call {
  const char* name;
  const char* answer;
};
class EveryToolForm : public testing::TestWithParam<Call> {};

TEST_P(EveryToolForm, IsReadBack) {
  const auto prompt = Template(GetParam().name)
                          .Render({.messages = Messages(R"([{"role": "user", "content": "Weather?"}])"),
                                   .tools = kTools,
                                   .enable_thinking = false});
  ASSERT_TRUE(prompt) << prompt.error().Message();
  EXPECT_NE(prompt->text.find("weather"), std::string::npos);
  EXPECT_FALSE(prompt->verbatim);
  const auto message = prompt->parser.Parse(GetParam().answer);
  ASSERT_TRUE(message) << message.error().Message();
  ASSERT_EQ((*message)["tool_calls"].size(), 1u) << message->dump();
  const ordered_json& function = (*message)["tool_calls"][0]["function"];
  EXPECT_EQ(function["name"], "weather");
  EXPECT_EQ(ordered_json::parse(function["arguments"].get<std::string>()), ordered_json({{"city", "K\xc3\xb6ln"}}));
  // The beginning of an answer never fails.
  const std::string answer = GetParam().answer;
  for (size_t n = 0; n < answer.size(); ++n) {
    if (n > 0 && (answer[n] & 0xc0) == 0x80) continue;
    EXPECT_TRUE(prompt->parser.Parse(answer.substr(0, n), /*partial=*/true)) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Families, EveryToolForm,
    testing::Values(
        Call{"Qwen-Qwen2.5-7B-Instruct",
             "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"K\xc3\xb6ln\"}}\n</tool_call>"},
        Call{"Qwen-Qwen3-0.6B",
             "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"K\xc3\xb6ln\"}}\n</tool_call>"},
        Call{"meta-llama-Llama-3.1-8B-Instruct",
             "{\"name\": \"weather\", \"parameters\": {\"city\": \"K\xc3\xb6ln\"}}"},
        Call{"mistralai-Mistral-Nemo-Instruct-2407",
             "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {\"city\": \"K\xc3\xb6ln\"}, \"id\": "
             "\"123456789\"}]"}));

TEST(ChatTemplate, AnswersWithoutCallsStayText) {
  const ChatTemplate chat = Template("Qwen-Qwen2.5-7B-Instruct");
  const ordered_json hi = Messages(R"([{"role": "user", "content": "Hi"}])");
  const auto with_tools = chat.Render({.messages = hi, .tools = kTools}).value();
  const auto message = with_tools.parser.Parse("Hello, \xc3\xa9!").value();
  EXPECT_EQ(message["content"], "Hello, \xc3\xa9!");
  EXPECT_TRUE(!message.contains("tool_calls") || message["tool_calls"].empty());
  EXPECT_TRUE(chat.Render({.messages = hi})->verbatim);
}

}  // namespace
}  // namespace isoveil
