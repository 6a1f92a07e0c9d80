#include "isoveil/gateway/message_builder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <set>

#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

const Json kTools = Json::parse(R"([{"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])");

std::optional<RenderedPrompt> TryPrompt(const Path& path, bool with_tools) {
  ChatRequest request{.messages = Json::parse(R"([{"role": "user", "content": "Weather in Bern?"}])")};
  if (with_tools) request.tools = kTools;
  const auto chat = ChatTemplate::Parse(ReadBytes(path), "<s>", "</s>");
  if (!chat) return std::nullopt;
  auto prompt = chat->Render(request);
  return prompt ? std::optional(std::move(*prompt)) : std::nullopt;
}

RenderedPrompt Prompt(const std::string& name, bool with_tools) {
  return TryPrompt(Path(ISOVEIL_LLAMA_PREFIX) / "models/templates" / (name + ".jinja"), with_tools).value();
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
  Json message = fine.message();
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
  for (const char* text : {"Hello.", "", " Grüezi 👋🏽\n\n", "<think>no</think>", "{\"name\": \"weather\"}"}) {
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

// What the parser makes of the whole text.
Json Whole(const RenderedPrompt& prompt, const std::string& text) {
  const auto parsed = prompt.parser.Parse(text);
  if (!parsed) return nullptr;
  Json calls = Json::array();
  for (const Json& call : parsed->value("tool_calls", Json::array())) {
    calls.push_back({call["function"]["name"], call["function"]["arguments"]});
  }
  const Json& content = Member(*parsed, "content");
  return {content.is_string() ? content : Json(""), parsed->value("reasoning_content", ""), calls};
}

Json Built(const MessageBuilder& builder) {
  const Json message = builder.message();
  Json calls = Json::array();
  for (const Json& call : message.value("tool_calls", Json::array())) {
    calls.push_back({call["function"]["name"], call["function"]["arguments"]});
  }
  const Json& content = Member(message, "content");
  return {content.is_string() ? content : Json(""), message.value("reasoning_content", ""), calls};
}

// For each template that llama.cpp brings, answers of words, spaces, brackets and marks, cut anywhere: what was built
// piece by piece is what the parser reads from the whole.
TEST(MessageBuilderTest, PiecesMakeWhatTheWholeMakesForEveryTemplate) {
  std::mt19937 random(5);
  const std::vector<std::string> words = {"Bern",      " is", " sunny", "\n",  "\n\n", "  ",   "<",     ">",
                                          "{",         "}",   "[",      "]",   "\"",   "\\",   "a < b", "東京",
                                          " 👋🏽", ": ",  ",",      "```", "|",    "x[1]", "'",     "("};
  int compared = 0;
  for (const auto& file : std::filesystem::directory_iterator(Path(ISOVEIL_LLAMA_PREFIX) / "models/templates")) {
    if (file.path().extension() != ".jinja") continue;
    for (const bool with_tools : {false, true}) {
      const auto prompt = TryPrompt(file.path(), with_tools);
      if (!prompt || prompt->verbatim) continue;
      for (int round = 0; round < 24; ++round) {
        std::string text;
        if (round % 3 == 0) text += "<think>\nwell, well\n</think>\n\n";
        for (int n = static_cast<int>(random() % 24); n > 0; --n)
          text += words[random() % (round % 2 ? 7 : words.size())];
        if (round % 4 == 1) {
          text +=
              "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern  and\\n Thun, "
              "so\"}}\n</tool_call>";
        }
        const Json whole = Whole(*prompt, text);
        // Where every piece is parsed the parser may itself take back what it gave.
        RenderedPrompt careful = *prompt;
        for (int c = 0; c < 256; ++c) careful.markers += static_cast<char>(c);
        MessageBuilder slow(careful);
        Stream(slow, text);
        if (whole.is_null() || Built(slow) != whole) continue;
        MessageBuilder builder(*prompt);
        Stream(builder, text);
        EXPECT_EQ(Built(builder), whole) << file.path().filename() << ": " << Json(text).dump();
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 1000);
}

// A token costs the same at the end of a long answer: nothing is parsed again for it.
TEST(MessageBuilderTest, LongAnswersAreNotParsedAgainForEachPiece) {
  const RenderedPrompt prompt = Prompt("Qwen-Qwen2.5-7B-Instruct", true);
  const std::string call = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"";
  for (const std::string& begin : {std::string("Once"), call}) {
    MessageBuilder builder(prompt);
    builder.Append(begin);
    size_t streamed = 0;
    for (int i = 0; i < 40'000; ++i) {
      const MessageDelta delta = builder.Append(" word");
      streamed += delta.content.size();
      for (const ToolCallDelta& one : delta.calls) streamed += one.arguments.size();
    }
    EXPECT_GT(streamed, 39'000U * 5);
    EXPECT_LT(builder.parsed_bytes(), 200'000U) << "whole answers of 200,000 bytes, again and again";
  }
}

// Pieces that might each be a mark are parsed as the budget allows, and nothing is lost.
TEST(MessageBuilderTest, MarksInALongAnswerHaveABudget) {
  const RenderedPrompt prompt = Prompt("Qwen-Qwen2.5-7B-Instruct", true);
  MessageBuilder builder(prompt);
  std::string text;
  Client client;
  for (int i = 0; i < 5'000; ++i) {
    const std::string piece = i % 2 ? "a < b" : "{\"x\": [1]}\n";
    text += piece;
    client.Take(builder.Append(piece));
  }
  client.Take(builder.Finish());
  EXPECT_EQ(Built(builder), Whole(prompt, text));
  EXPECT_EQ(client.content, builder.content());
  EXPECT_LT(builder.parsed_bytes(), (64U << 10) + 5'000 * 400 + text.size());
}

TEST(RandomIdTest, NeverRepeats) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(RandomId("call_"));
  EXPECT_EQ(ids.size(), 1000U);
  EXPECT_EQ(ids.begin()->size(), 29U);
}

}  // namespace
}  // namespace isoveil
