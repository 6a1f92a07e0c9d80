// The endpoints on a scripted server: what goes out, and what comes back.
#include "isoveil/gateway/apis.h"

#include <gtest/gtest.h>

#include "isoveil/gateway/small_service_for_test.h"

namespace isoveil {
namespace {

constexpr char kAsk[] = R"({"messages": [{"role": "user", "content": "Grüezi"}], "max_tokens": 64)";

std::string StreamedContent(const CollectedReply& reply) {
  std::string text;
  for (const auto& [name, data] : reply.events) {
    if (data == "[DONE]") continue;
    const Json chunk = Json::parse(data);
    for (const Json& choice : chunk["choices"]) {
      if (choice.contains("delta")) text += choice["delta"].value("content", "");
      if (choice.contains("text")) text += choice["text"].get<std::string>();
    }
  }
  return text;
}

TEST(ApisTest, AChatIsRenderedEncryptedAndAnswered) {
  SmallService small;
  const CollectedReply reply = small.Post(ChatCompletions, std::string(kAsk) + "}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(small.PromptText(), "[user]Grüezi[assistant]");
  const Json answer = reply.json();
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "Hello");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(answer["model"], "small");
  EXPECT_EQ(answer["usage"]["completion_tokens"], 6);
}

TEST(ApisTest, StreamedTextIsTheWholeText) {
  for (const char* text : {"", "Hello", "日本語 👩‍👩‍👧‍👦 fin", "a\nb \xc3\xa9\xcc\x81"}) {
    SmallService small;
    small.upstream.answers = {text};
    const CollectedReply whole = small.Post(ChatCompletions, std::string(kAsk) + "}");
    const CollectedReply stream = small.Post(ChatCompletions, std::string(kAsk) + R"(, "stream": true})");
    EXPECT_EQ(whole.json()["choices"][0]["message"]["content"], text);
    EXPECT_EQ(StreamedContent(stream), text);
    EXPECT_EQ(stream.events.back().second, "[DONE]");
    EXPECT_EQ(small.upstream.requests[0].prompt, small.upstream.requests[1].prompt);
  }
}

TEST(ApisTest, ChoicesAreApart) {
  SmallService small;
  const CollectedReply reply = small.Post(ChatCompletions, std::string(kAsk) + R"(, "n": 3, "seed": 7})");
  ASSERT_EQ(reply.json()["choices"].size(), 3U);
  std::set<uint32_t> seeds;
  for (const GenerateRequest& request : small.upstream.requests) seeds.insert(request.sampling.seed.value());
  EXPECT_EQ(seeds, (std::set<uint32_t>{7, 8, 9}));
}

TEST(ApisTest, JsonIsAskedForAgainAndThenAnError) {
  SmallService small;
  small.upstream.answers = {"Sure!", "{\"a\": 1}"};
  const std::string body =
      std::string(kAsk) + R"(, "response_format": {"type": "json_object"}, "temperature": 0})";
  const CollectedReply reply = small.Post(ChatCompletions, body);
  EXPECT_EQ(reply.json()["choices"][0]["message"]["content"], "{\"a\": 1}");
  ASSERT_EQ(small.upstream.requests.size(), 2U);
  EXPECT_GT(small.upstream.requests[1].sampling.temperature, 0)
      << "the same question would get the same answer";

  SmallService stubborn;
  stubborn.upstream.answers = {"Sure!"};
  const CollectedReply refused = stubborn.Post(ChatCompletions, body);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json()["error"]["param"], "response_format");
  EXPECT_EQ(refused.body.find("Sure"), std::string::npos);
}

TEST(ApisTest, CompletionsTakeTextAndIds) {
  SmallService small;
  const CollectedReply text = small.Post(Completions, R"({"prompt": "ab", "max_tokens": 3})");
  EXPECT_EQ(text.json()["choices"][0]["text"], "Hel");
  EXPECT_EQ(text.json()["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(small.PromptText(0), "ab");
  const CollectedReply ids =
      small.Post(Completions, R"({"prompt": [[97, 98], [99]], "echo": true, "max_tokens": 1})");
  EXPECT_EQ(ids.json()["choices"][0]["text"], "abH");
  EXPECT_EQ(ids.json()["choices"][1]["text"], "cH");
}

TEST(ApisTest, ResponsesSpeakOfItems) {
  SmallService small;
  const CollectedReply reply =
      small.Post(Responses, R"({"input": "Hi", "instructions": "Be brief.", "max_output_tokens": 32})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json()["output"][0]["content"][0]["text"], "Hello");
  EXPECT_EQ(small.PromptText(), "[system]Be brief.[user]Hi[assistant]");
}

// As Vercel's AI SDK and OpenAI's agents go on.
TEST(ApisTest, ASecondResponseRefersToTheFirst) {
  SmallService small;
  const Json first = small.Post(Responses, R"({"input": "Hi"})").json();
  EXPECT_EQ(first["store"], true);
  const Json reference = {{"type", "item_reference"}, {"id", first["output"][0]["id"]}};
  const Json user = {{"role", "user"}, {"content", "More"}};
  const Json input = Json::array({{{"role", "user"}, {"content", "Hi"}}, reference, user});
  ASSERT_EQ(small.Post(Responses, Json{{"input", input}}.dump()).status, 200);
  ASSERT_EQ(small.Post(Responses, Json{{"input", "More"}, {"previous_response_id", first["id"]}}.dump()).status, 200);
  EXPECT_EQ(small.PromptText(1), "[user]Hi[assistant]Hello[user]More[assistant]");
  EXPECT_EQ(small.PromptText(2), small.PromptText(1));

  const CollectedReply stored = small.Post(GetResponse, "", first["id"]);
  EXPECT_EQ(stored.json(), first);
  EXPECT_EQ(small.Post(DeleteResponse, "", first["id"]).json()["deleted"], true);
  const CollectedReply gone = small.Post(Responses, Json{{"input", input}}.dump());
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(gone.json()["error"]["param"], "input[1].id");
}

TEST(ApisTest, WhatIsNotToBeStoredIsNot) {
  SmallService small;
  const Json answer = small.Post(Responses, R"({"input": "Hi", "store": false})").json();
  EXPECT_EQ(answer["store"], false);
  EXPECT_EQ(small.service.responses->bytes(), 0U);
  EXPECT_EQ(small.Post(GetResponse, "", answer["id"]).status, 404);
}

TEST(ApisTest, AByteOrderMarkIsNoPartOfTheBody) {
  SmallService small;
  EXPECT_EQ(small.Post(ChatCompletions, "\xEF\xBB\xBF" + std::string(kAsk) + "}").status, 200);
}

TEST(ApisTest, ModelsTellTheirContext) {
  SmallService small;
  small.service.n_context = 4096;
  const Json model = small.Post(ListModels, "").json()["data"][0];
  EXPECT_EQ(model["context_length"], 4096);
  EXPECT_EQ(small.Post(GetModel, "", "small").json(), model);
  EXPECT_EQ(small.Post(GetModel, "", "large").status, 404);
}

TEST(ApisTest, TokensAreNamedAndJoinedAgain) {
  SmallService small;
  const CollectedReply reply = small.Post(Tokenize, R"({"content": "hello"})");
  EXPECT_EQ(reply.json()["tokens"], Json::array({260}));
  const CollectedReply back = small.Post(Detokenize, R"({"tokens": [260]})");
  EXPECT_EQ(back.json()["content"], "hello");
  EXPECT_TRUE(small.upstream.requests.empty());
}

TEST(ApisTest, AServerThatIsAwayIsSaidToBe) {
  SmallService small;
  small.upstream.failure = Error{ErrorCode::kUnavailable, "upstream", "is away", ""};
  const CollectedReply early = small.Post(ChatCompletions, std::string(kAsk) + R"(, "stream": true})");
  EXPECT_EQ(early.whole, 1);
  EXPECT_EQ(early.status, 503);
  small.upstream.failure_after = 2;
  const CollectedReply late = small.Post(ChatCompletions, std::string(kAsk) + R"(, "stream": true})");
  EXPECT_EQ(late.whole, 0);
  ASSERT_FALSE(late.events.empty());
  EXPECT_TRUE(Json::parse(late.events.back().second).contains("error"));
}

TEST(ApisTest, ErrorsNameTheFieldAndQuoteNothing) {
  SmallService small;
  for (const auto& [body, param] : std::vector<std::pair<std::string, std::string>>{
           {R"({"messages": "canary-7919"})", "messages"},
           {R"({"messages": []})", "messages"},
           {std::string(kAsk) + R"(, "temperature": "canary-7919"})", "temperature"},
           {std::string(kAsk) + R"(, "n": 99})", "n"},
           {std::string(kAsk) + R"(, "logit_bias": {"canary-7919": 1}})", "logit_bias"},
           {std::string(kAsk) + R"(, "stop": [1]})", "stop"}}) {
    const CollectedReply reply = small.Post(ChatCompletions, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_TRUE(reply.json()["error"]["param"].get<std::string>().starts_with(param)) << reply.body;
    EXPECT_EQ(reply.body.find("canary"), std::string::npos) << reply.body;
  }
  EXPECT_TRUE(small.upstream.requests.empty());
}

}  // namespace
}  // namespace isoveil
