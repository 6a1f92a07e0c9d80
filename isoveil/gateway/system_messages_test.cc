#include "isoveil/gateway/system_messages.h"

#include <gtest/gtest.h>

#include "isoveil/base/file.h"

namespace isoveil {
namespace {

ChatTemplate Template(const std::string& name) {
  const Path path = Path(ISOVEIL_LLAMA_PREFIX) / "models/templates" / (name + ".jinja");
  return ChatTemplate::Parse(ReadTextFile(path).value(), "<s>", "</s>").value();
}

constexpr char kUsual[] =
    R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three?"}])";
constexpr char kSeveral[] =
    R"([{"role": "system", "content": "Be brief."}, {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "One?"}])";
constexpr char kLate[] =
    R"([{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."},
        {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Three?"}])";
constexpr char kParts[] =
    R"([{"role": "system", "content": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "One?"}]}])";

// Strict and careless templates, such without a place for instructions, and such that take everything.
class SystemMessagesTest : public testing::TestWithParam<const char*> {};

TEST_P(SystemMessagesTest, EveryInstructionReachesThePrompt) {
  const ChatTemplate chat = Template(GetParam());
  const SystemPlaces places = FindSystemPlaces(chat);
  for (const char* text : {kUsual, kSeveral, kLate, kParts}) {
    for (const bool instruct : {false, true}) {
      Json messages = Json::parse(text);
      FitSystemMessages(places, messages);
      if (instruct) AppendToSystem(messages, "Answer in JSON.");
      const auto prompt = chat.Render({.messages = messages});
      ASSERT_TRUE(prompt) << GetParam() << ": " << prompt.error().Message() << " " << messages.dump();
      if (std::string_view(text).find("kind") != std::string_view::npos) {
        EXPECT_NE(prompt->text.find("Be kind."), std::string::npos) << GetParam() << messages.dump();
      }
      EXPECT_EQ(prompt->text.find("Answer in JSON.") != std::string::npos, instruct) << GetParam() << messages.dump();
      EXPECT_NE(prompt->text.find("One?"), std::string::npos);
    }
  }
}

TEST_P(SystemMessagesTest, TheUsualConversationIsLeftAlone) {
  Json messages = Json::parse(kUsual);
  FitSystemMessages(FindSystemPlaces(Template(GetParam())), messages);
  EXPECT_EQ(messages, Json::parse(kUsual));
}

INSTANTIATE_TEST_SUITE_P(Templates, SystemMessagesTest,
                         testing::Values("Qwen3.5-4B", "Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B",
                                         "google-gemma-2-2b-it", "meta-llama-Llama-3.3-70B-Instruct",
                                         "mistralai-Mistral-Nemo-Instruct-2407", "Mistral-Small-3.2-24B-Instruct-2506",
                                         "microsoft-Phi-3.5-mini-instruct", "deepseek-ai-DeepSeek-V3.1",
                                         "openai-gpt-oss-120b", "GLM-4.6"));

TEST(SystemMessagesTest, AStrictTemplateIsKnown) {
  const SystemPlaces strict = FindSystemPlaces(Template("Qwen3.5-4B"));
  EXPECT_FALSE(strict.several);
  EXPECT_FALSE(strict.late);
  const SystemPlaces open = FindSystemPlaces(Template("Qwen-Qwen2.5-7B-Instruct"));
  EXPECT_TRUE(open.several);
  EXPECT_TRUE(open.late);
}

TEST(SystemMessagesTest, TheOrderOfInstructionsStays) {
  Json messages = Json::parse(R"([{"role": "user", "content": "a"}, {"role": "system", "content": "1"},
                                  {"role": "user", "content": "b"}, {"role": "system", "content": "2"}])");
  FitSystemMessages({.several = false, .late = false}, messages);
  EXPECT_EQ(messages, Json::parse(R"([{"role": "system", "content": "1\n\n2"}, {"role": "user", "content": "a"},
                                      {"role": "user", "content": "b"}])"));
}

TEST(SystemMessagesTest, WhatIsMalformedIsLeftForTheTemplatesCheck) {
  for (const char* text : {R"([5, {"role": "system"}, {"role": "system", "content": [{"type": "image_url"}]}])",
                           R"([null])", R"([{"role": "system", "content": 5}, {"role": "system", "content": 6}])"}) {
    Json messages = Json::parse(text);
    FitSystemMessages({.several = false, .late = false, .parts = false}, messages);
    EXPECT_EQ(messages, Json::parse(text));
  }
}

}  // namespace
}  // namespace isoveil
