// Anthropic's endpoints on a scripted server: what goes out, and what comes back.
#include <gtest/gtest.h>

#include "isoveil/gateway/message_request.h"
#include "isoveil/gateway/small_service_for_test.h"

namespace isoveil {
namespace {

constexpr char kAsk[] = R"({"model": "small", "max_tokens": 64, "messages": [{"role": "user", "content": "Grüezi"}])";

Json ChatOf(const char* body) {
  const auto chat = ChatFromMessageRequest(Json::parse(body));
  EXPECT_TRUE(chat.has_value()) << chat.error().Message();
  return chat.value_or(Json::object());
}

TEST(MessagesApi, AMessageIsRenderedEncryptedAndAnswered) {
  SmallService small;
  const CollectedReply reply = small.Post(Messages, std::string(kAsk) + R"(, "system": "Be brief."})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(small.PromptText(), "[system]Be brief.[user]Grüezi[assistant]");
  const Json answer = reply.json();
  EXPECT_EQ(answer["content"], Json::parse(R"([{"type": "text", "text": "Hello", "citations": null}])"));
  EXPECT_EQ(answer["stop_reason"], "end_turn");
  EXPECT_EQ(answer["stop_sequence"], nullptr);
  EXPECT_EQ(answer["usage"]["output_tokens"], 6);
  EXPECT_EQ(answer["usage"]["input_tokens"], small.upstream.requests[0].prompt.size());
}

TEST(MessagesApi, AStreamBeginsGrowsAndEnds) {
  SmallService small;
  small.upstream.answers = {"日本"};
  const CollectedReply reply = small.Post(Messages, std::string(kAsk) + R"(, "stream": true})");
  std::string text;
  std::vector<std::string> names;
  for (const auto& [name, data] : reply.events) {
    const Json event = Json::parse(data);
    EXPECT_EQ(event["type"], name);
    if (name == "content_block_delta") text += event["delta"]["text"].get<std::string>();
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  EXPECT_EQ(text, "日本");
  EXPECT_EQ(names, (std::vector<std::string>{"message_start", "content_block_start", "content_block_delta",
                                             "content_block_stop", "message_delta", "message_stop"}));
}

// The arguments of a call are what a model wrote.
TEST(MessagesApi, TheInputOfAToolIsBounded) {
  SmallService small(ReadBytes(Path(ISOVEIL_LLAMA_PREFIX) / "models/templates/Qwen-Qwen2.5-7B-Instruct.jinja").c_str());
  const std::string ask = R"({"max_tokens": 20000, "tools": [{"name": "look", "input_schema": {"type": "object"}}],
                              "messages": [{"role": "user", "content": "x"}]})";
  const auto answered = [&](const std::string& arguments) {
    small.upstream.answers = {"<tool_call>\n{\"name\": \"look\", \"arguments\": " + arguments + "}\n</tool_call>"};
    return small.Post(Messages, ask).json();
  };
  EXPECT_EQ(answered(R"({"at": [1]})")["content"][0]["input"], Json::parse(R"({"at": [1]})"));
  // As those read it who see the stream.
  EXPECT_EQ(answered(R"({"at": 1, "by": 2, "at": 3})")["content"][0]["input"], Json::parse(R"({"at": 3, "by": 2})"));
  std::string deep;
  for (int i = 0; i < 2'000; ++i) deep += "[\"]\",";
  const Json answer = answered("{\"at\": " + deep + "1" + std::string(2'000, ']') + "}");
  EXPECT_EQ(answer["content"][0]["input"], Json::object()) << answer.dump().substr(0, 500);
}

TEST(MessagesApi, WhatEndedTheAnswerIsTold) {
  SmallService small;
  small.upstream.answers = {"one two three"};
  Json answer = small.Post(Messages, std::string(kAsk) + R"(, "stop_sequences": ["ten", " two"]})").json();
  EXPECT_EQ(answer["content"][0]["text"], "one");
  EXPECT_EQ(answer["stop_reason"], "stop_sequence");
  EXPECT_EQ(answer["stop_sequence"], " two");
  answer = small.Post(Messages, R"({"max_tokens": 3, "messages": [{"role": "user", "content": "x"}]})").json();
  EXPECT_EQ(answer["content"][0]["text"], "one");
  EXPECT_EQ(answer["stop_reason"], "max_tokens");
}

TEST(MessagesApi, ThePromptIsCountedHoweverLong) {
  SmallService small;
  small.service.n_context = [] { return 32; };
  const std::string body = R"({"messages": [{"role": "user", "content": ")" + std::string(100, 'x') + R"("}])";
  const Json counted = small.Post(CountMessageTokens, body + "}").json();
  EXPECT_GT(counted["input_tokens"], 100);
  const CollectedReply refused = small.Post(Messages, body + R"(, "max_tokens": 4})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(small.upstream.requests.empty());
}

TEST(MessagesApi, TurnsOfOneRoleAreOne) {
  const Json chat = ChatOf(R"({"messages": [
      {"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]},
      {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""},
                                        {"type": "text", "text": "c"},
                                        {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}}]},
      {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": true,
                                    "content": [{"type": "text", "text": "gone"}]},
                                   {"type": "text", "text": "and now?"}]}]})");
  EXPECT_EQ(chat["messages"], Json::parse(R"([
      {"role": "user", "content": "a\nb"},
      {"role": "assistant", "content": "c", "reasoning_content": "hm",
       "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}}]},
      {"role": "tool", "tool_call_id": "t1", "content": "Error: gone"},
      {"role": "user", "content": "and now?"}])"));
}

TEST(MessagesApi, ToolsAndTheirChoice) {
  const std::string head = R"({"messages": [{"role": "user", "content": "x"}], "tools":
      [{"name": "look", "description": "d", "input_schema": {"type": "object"}}], "tool_choice": )";
  Json chat = ChatOf((head + R"({"type": "tool", "name": "look", "disable_parallel_tool_use": true}})").c_str());
  EXPECT_EQ(chat["tools"], Json::parse(R"([{"type": "function", "function":
      {"name": "look", "description": "d", "parameters": {"type": "object"}}}])"));
  EXPECT_EQ(chat["tool_choice"]["function"]["name"], "look");
  EXPECT_EQ(chat["parallel_tool_calls"], false);
  chat = ChatOf((head + R"({"type": "any"}})").c_str());
  EXPECT_EQ(chat["tool_choice"], "required");
  EXPECT_EQ(chat["parallel_tool_calls"], true);
}

TEST(MessagesApi, ErrorsNameTheFieldAndQuoteNothing) {
  SmallService small;
  for (const auto& [body, place] : std::vector<std::pair<std::string, std::string>>{
           {R"({"max_tokens": 4})", "messages"},
           {R"({"messages": [{"role": "user", "content": "x"}]})", "max_tokens"},
           {R"({"max_tokens": 4, "messages": [{"role": "canary-7919", "content": "x"}]})", "messages[0].role"},
           {R"({"max_tokens": 4, "messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]})",
            "messages[0].content[0]"},
           {R"({"max_tokens": 4, "messages": [{"role": "user", "content": [7]}]})", "messages[0].content[0]"},
           {R"({"max_tokens": 4, "messages": [{"role": "user", "content": [{"type": "tool_result"}]}]})",
            "messages[0].content[0].tool_use_id"},
           {std::string(kAsk) + R"(, "stop_sequences": "canary-7919"})", "stop_sequences"},
           {std::string(kAsk) + R"(, "tools": [{"type": "web_search_20250305", "name": "canary-7919"}]})",
            "tools[0].type"},
           {std::string(kAsk) + R"(, "tool_choice": {"type": "canary-7919"}})", "tool_choice"},
           {std::string(kAsk) + R"(, "container": "canary-7919"})", "container"},
           {std::string(kAsk) + R"(, "output_config": {"format": {"type": "canary-7919"}}})", "output_config.format"},
           {std::string(kAsk) + R"(, "thinking": 7})", "thinking"}}) {
    const CollectedReply reply = small.Post(Messages, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body.find("canary"), std::string::npos) << reply.body;
    EXPECT_NE(reply.body.find(place), std::string::npos) << reply.body;
  }
  EXPECT_TRUE(small.upstream.requests.empty());
}

TEST(MessagesApi, ErrorsHaveTheFormThatItsClientsRead) {
  const ApiError error{.status = 429, .message = "too many"};
  EXPECT_EQ(error.ToJson(ErrorForm::kAnthropic),
            Json::parse(R"({"type": "error", "error": {"type": "rate_limit_error", "message": "too many"}})"));
}

}  // namespace
}  // namespace isoveil
