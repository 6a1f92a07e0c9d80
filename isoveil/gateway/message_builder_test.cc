#include "isoveil/gateway/message_builder.h"

#include <gtest/gtest.h>

#include <set>

#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

RenderedPrompt Prompt(const std::string& name, bool with_tools) {
  const Path path = Path(ISOVEIL_LLAMA_PREFIX) / "models/templates" / (name + ".jinja");
  ChatRequest request{.messages = Json::parse(R"([{"role": "user", "content": "Weather in Bern?"}])")};
  if (with_tools) {
    request.tools = Json::parse(R"([{"type": "function", "function": {"name": "weather", "parameters": {
      "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])");
  }
  return ChatTemplate::Parse(ReadBytes(path), "<s>", "</s>").value().Render(request).value();
}

// What a client puts together from deltas.
struct Client {
  std::string content, reasoning;
  std::vector<ToolCallDelta> calls;

  void Take(const MessageDelta& delta) {
    content += delta.content;
    reasoning += delta.reasoning;
    for (const ToolCallDelta& call : delta.calls) {
      if (call.index == calls.size()) {
        calls.push_back(call);
      } else {
        EXPECT_TRUE(call.id.empty() && call.name.empty()) << "they come once";
        calls.at(call.index).arguments += call.arguments;
      }
    }
  }
};

// Characters, as they come from a generator.
std::vector<std::string> Characters(std::string_view text) {
  std::vector<std::string> list;
  for (const char byte : text) {
    if ((static_cast<unsigned char>(byte) & 0xc0) != 0x80) list.emplace_back();
    list.back() += byte;
  }
  return list;
}

Client Stream(MessageBuilder& builder, std::string_view text) {
  Client client;
  for (const std::string& character : Characters(text)) client.Take(builder.Append(character));
  client.Take(builder.Finish());
  return client;
}

// The deltas are the message, and cutting the text otherwise changes nothing.
Json SameHoweverCut(const RenderedPrompt& prompt, std::string_view text) {
  MessageBuilder fine(prompt);
  const Client client = Stream(fine, text);
  const Json message = fine.message();
  EXPECT_EQ(message["content"].is_null() ? "" : message["content"].get<std::string>(), client.content);
  EXPECT_EQ(message.value("reasoning_content", ""), client.reasoning);
  const Json calls = message.value("tool_calls", Json::array());
  EXPECT_EQ(calls.size(), client.calls.size());
  for (size_t i = 0; i < std::min(calls.size(), client.calls.size()); ++i) {
    EXPECT_EQ(calls[i]["id"], client.calls[i].id);
    EXPECT_EQ(calls[i]["function"]["name"], client.calls[i].name);
    EXPECT_EQ(calls[i]["function"]["arguments"], client.calls[i].arguments);
  }
  MessageBuilder coarse(prompt);
  coarse.Append(text);
  coarse.Finish();
  Json other = coarse.message();
  for (size_t i = 0; i < calls.size(); ++i) other["tool_calls"][i]["id"] = calls[i]["id"];
  EXPECT_EQ(other, message);
  return message;
}

TEST(MessageBuilderTest, TextWithoutAFormIsTheContent) {
  const RenderedPrompt prompt = Prompt("google-gemma-2-2b-it", false);
  ASSERT_TRUE(prompt.verbatim);
  for (const char* text :
       {"Hello.", "", " Grüezi 👋🏽\n\n", "<think>no</think>", "{\"name\": \"weather\"}"}) {
    EXPECT_EQ(SameHoweverCut(prompt, text)["content"], text);
  }
}

TEST(MessageBuilderTest, ThoughtsAreKeptApart) {
  const RenderedPrompt prompt = Prompt("Qwen-Qwen3-0.6B", false);
  ASSERT_FALSE(prompt.verbatim);
  const Json message = SameHoweverCut(prompt, "<think>\nBern: 東 or 西?\n</think>\n\nSunny ☀️ today.");
  EXPECT_EQ(message["content"], "Sunny ☀️ today.");
  EXPECT_NE(message["reasoning_content"].get<std::string>().find("Bern: 東 or 西?"), std::string::npos);
}

TEST(MessageBuilderTest, CallsComeInPartsOnce) {
  const RenderedPrompt prompt = Prompt("Qwen-Qwen2.5-7B-Instruct", true);
  const Json message = SameHoweverCut(
      prompt, "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Zürich\"}}\n</tool_call>");
  EXPECT_TRUE(message["content"].is_null());
  ASSERT_EQ(message["tool_calls"].size(), 1U);
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "weather");
  EXPECT_EQ(Json::parse(message["tool_calls"][0]["function"]["arguments"].get<std::string>()),
            Json({{"city", "Zürich"}}));
}

TEST(MessageBuilderTest, ABrokenCallIsNoCallAndNothingIsLost) {
  const RenderedPrompt prompt = Prompt("Qwen-Qwen2.5-7B-Instruct", true);
  MessageBuilder builder(prompt);
  const Client client = Stream(builder, "I cannot tell. <tool_call> {\"name\"");
  EXPECT_FALSE(builder.has_calls());
  EXPECT_TRUE(client.content.starts_with("I cannot tell.")) << client.content;
}

TEST(RandomIdTest, NeverRepeats) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(RandomId("call_"));
  EXPECT_EQ(ids.size(), 1000U);
  EXPECT_EQ(ids.begin()->size(), 29U);
}

}  // namespace
}  // namespace isoveil
