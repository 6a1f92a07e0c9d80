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
  const std::string body = std::string(kAsk) + R"(, "response_format": {"type": "json_object"}, "temperature": 0})";
  const CollectedReply reply = small.Post(ChatCompletions, body);
  EXPECT_EQ(reply.json()["choices"][0]["message"]["content"], "{\"a\": 1}");
  ASSERT_EQ(small.upstream.requests.size(), 2U);
  EXPECT_GT(small.upstream.requests[1].sampling.temperature, 0) << "the same question would get the same answer";

  SmallService stubborn;
  stubborn.upstream.answers = {"Sure!"};
  const CollectedReply refused = stubborn.Post(ChatCompletions, body);
  EXPECT_EQ(refused.status, 502) << "the model's failure is not the client's";
  EXPECT_EQ(refused.json()["error"]["code"], "answer_not_as_required");
  EXPECT_EQ(refused.body.find("Sure"), std::string::npos);
}

TEST(ApisTest, JsonInProseIsTakenOut) {
  const std::string body = std::string(kAsk) + R"(, "response_format": {"type": "json_object"}})";
  for (const char* text :
       {"Sure! Here it is: {\"a\": {\"b\": \"}\"}} I hope {it} helps.", "{no} {\"a\": {\"b\": \"}\"}}",
        "```json\n{\"a\": {\"b\": \"}\"}}\n```", "Sure:\n```json\n{\"a\": {\"b\": \"}\"}}\n```\nThere."}) {
    SmallService small;
    small.upstream.answers = {text};
    EXPECT_EQ(small.Post(ChatCompletions, body).json()["choices"][0]["message"]["content"], "{\"a\": {\"b\": \"}\"}}")
        << text;
    EXPECT_EQ(small.upstream.requests.size(), 1U);
  }
}

TEST(ApisTest, JsonThatMaxTokensCutOffIsGivenAsItIs) {
  for (const char* more : {"", R"(, "stream": true)"}) {
    SmallService small;
    small.upstream.answers = {"{\"a\": 1, \"b\": 2}"};
    const std::string body = std::string(R"({"messages": [{"role": "user", "content": "x"}], "max_tokens": 5)") + more +
                             R"(, "response_format": {"type": "json_object"}})";
    const CollectedReply reply = small.Post(ChatCompletions, body);
    EXPECT_EQ(small.upstream.requests.size(), 1U) << "it would be cut off again";
    const Json last = *more ? Json::parse(reply.events[reply.events.size() - 2].second) : reply.json();
    EXPECT_EQ(last["choices"][0]["finish_reason"], "length");
    EXPECT_EQ(*more ? StreamedContent(reply) : last["choices"][0]["message"]["content"].get<std::string>(), "{\"a\":");
  }
}

TEST(ApisTest, TheTokensOfAllAttemptsAreCounted) {
  SmallService small;
  small.upstream.answers = {"Sure!", "{}"};
  const CollectedReply reply =
      small.Post(ChatCompletions, std::string(kAsk) + R"(, "response_format": {"type": "json_object"}})");
  EXPECT_EQ(reply.json()["usage"]["completion_tokens"], 6 + 3);
}

TEST(ApisTest, ThoughtsAreCounted) {
  SmallService small(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and m.reasoning_content %}<think>\n"
      "{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}");
  small.upstream.answers = {"Hm, five.</think>Five"};
  const Json chat = small.Post(ChatCompletions, std::string(kAsk) + "}").json();
  EXPECT_EQ(chat["choices"][0]["message"]["content"], "Five");
  EXPECT_EQ(chat["choices"][0]["message"]["reasoning_content"], "Hm, five.");
  // All before the first letter of the content.
  EXPECT_EQ(chat["usage"]["completion_tokens_details"]["reasoning_tokens"], 17);
  const Json response = small.Post(Responses, R"({"input": "Hi"})").json();
  EXPECT_EQ(response["usage"]["output_tokens_details"]["reasoning_tokens"], 17);
}

TEST(ApisTest, APromptThatIsTooLongSaysSoWhereClientsLook) {
  SmallService small;
  small.service.n_context = [] { return 16; };
  const std::string text(100, 'x');
  const Json message = {{"role", "user"}, {"content", text}};
  const struct {
    SmallService::Api api;
    Json body;
    const char* param;
  } cases[] = {{ChatCompletions, {{"messages", Json::array({message})}}, "messages"},
               {Completions, {{"prompt", text}}, "prompt"},
               {Responses, {{"input", text}}, "input"}};
  for (const auto& [api, body, param] : cases) {
    const CollectedReply reply = small.Post(api, body.dump());
    EXPECT_EQ(reply.status, 400);
    const Json error = reply.json()["error"];
    EXPECT_EQ(error["code"], "context_length_exceeded");
    EXPECT_EQ(error["param"], param);
    EXPECT_NE(error["message"].get<std::string>().find("maximum context length is 16 tokens"), std::string::npos);
  }
  // Clients that stream responses look for the event.
  const CollectedReply stream = small.Post(Responses, Json{{"input", text}, {"stream", true}}.dump());
  ASSERT_EQ(stream.events.size(), 3U) << stream.body;
  EXPECT_EQ(stream.events[2].first, "response.failed");
  EXPECT_EQ(Json::parse(stream.events[2].second)["response"]["error"]["code"], "context_length_exceeded");
}

TEST(ApisTest, AStreamOfAResponseThatBreaksOffEndsWithItsEvent) {
  SmallService small;
  small.upstream.failure = Error{ErrorCode::kUnavailable, "upstream", "is away", ""};
  small.upstream.failure_after = 2;
  const CollectedReply reply = small.Post(Responses, R"({"input": "Hi", "stream": true})");
  ASSERT_FALSE(reply.events.empty());
  const auto& [name, data] = reply.events.back();
  EXPECT_EQ(name, "response.failed");
  const Json last = Json::parse(data);
  EXPECT_EQ(last["response"]["status"], "failed");
  EXPECT_EQ(last["response"]["error"]["code"], "server_error");
  EXPECT_EQ(last["response"]["output"][0]["content"][0]["text"], "He");
  EXPECT_EQ(last["sequence_number"], reply.events.size() - 1);
}

TEST(ApisTest, ATokenThatIsNamedAsAnEndIsNoPartOfTheText) {
  SmallService small;
  small.upstream.answers = {"Hello"};
  const std::string ids = fmt::format("{}", Value(ScriptedUpstream::IdOf('l')));
  ASSERT_EQ(small.Post(ChatCompletions, std::string(kAsk) + R"(, "stop_token_ids": [)" + ids + "]}").status, 200);
  const auto sent = small.client.cipher.Decrypt(small.upstream.requests[0].stop_ids).value();
  EXPECT_NE(std::find(sent.begin(), sent.end(), ScriptedUpstream::IdOf('l')), sent.end());
  EXPECT_EQ(small.Post(ChatCompletions, std::string(kAsk) + R"(, "stop_token_ids": [999]})").json()["error"]["param"],
            "stop_token_ids");
}

TEST(ApisTest, TheLastMessageIsGoneOnWith) {
  SmallService small;
  const std::string messages =
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])";
  for (const char* more : {R"(, "add_generation_prompt": false})", R"(, "continue_final_message": true})"}) {
    ASSERT_EQ(small.Post(ChatCompletions, messages + more).status, 200) << more;
    EXPECT_EQ(small.PromptText(small.upstream.requests.size() - 1), "[user]a[assistant]b") << more;
  }
  EXPECT_EQ(
      small.Post(ChatCompletions, messages + R"(, "add_generation_prompt": true, "continue_final_message": true})")
          .status,
      400);
}

TEST(ApisTest, ValidFormsAreTaken) {
  SmallService small;
  const Json tool = {{"type", "function"}, {"function", {{"name", "f"}, {"parameters", nullptr}}}};
  const Json allowed = {
      {"type", "allowed_tools"},
      {"allowed_tools",
       {{"mode", "auto"}, {"tools", Json::array({{{"type", "function"}, {"function", {{"name", "f"}}}}})}}}};
  const Json user = {{"role", "user"}, {"content", "a"}};
  const Json refused = {{"role", "assistant"}, {"content", Json::array({{{"type", "refusal"}, {"refusal", "No."}}})}};
  const Json refused_too = {{"role", "assistant"}, {"content", nullptr}, {"refusal", "Never."}};
  for (const Json& body :
       {Json{{"messages", Json::array({user})}, {"tools", Json::array({tool})}, {"tool_choice", allowed}},
        Json{{"messages", Json::array({user, refused, user, refused_too, user})}},
        Json{{"messages", Json::array({user})}, {"reasoning", {{"effort", "high"}}}}}) {
    EXPECT_EQ(small.Post(ChatCompletions, body.dump()).status, 200) << small.Post(ChatCompletions, body.dump()).body;
  }
  EXPECT_EQ(small.PromptText(1), "[user]a[assistant]No.[user]a[assistant]Never.[user]a[assistant]");
  EXPECT_EQ(
      small.Post(ChatCompletions, R"({"messages": [{"role": "user", "content": "a"}], "reasoning_effort": "much"})")
          .status,
      400);
}

TEST(ApisTest, ItemsOfOtherToolsAreTaken) {
  SmallService small(
      "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls or [] %}({{ c.function.name }})"
      "{% endfor %}{% endfor %}");
  const CollectedReply reply = small.Post(Responses, R"({"instructions": "i", "input": [
      {"role": "user", "content": "a"}, {"type": "web_search_call", "id": "ws_1", "status": "completed"},
      {"type": "compaction", "encrypted_content": "x"}, {"type": "reasoning", "id": "rs_1", "summary": []},
      {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "diff"},
      {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
      {"type": "local_shell_call", "call_id": "c2", "action": {"type": "exec", "command": ["ls"]}},
      {"type": "local_shell_call_output", "call_id": "c2", "output": "files"},
      {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const std::string prompt = small.PromptText();
  for (const char* part : {"[user]a", "(patch)", "[tool]done", "(local_shell)", "[tool]files", "[assistant]No."}) {
    EXPECT_NE(prompt.find(part), std::string::npos) << part << " in " << prompt;
  }
  EXPECT_EQ(small.Post(Responses, R"({"instructions": "Go.", "input": []})").status, 200);
  EXPECT_EQ(small.Post(Responses, R"({"input": [{"type": "computer_call"}]})").status, 400);
  EXPECT_EQ(small.Post(Responses, R"({"input": "a", "include": ["reasoning.encrypted_content"]})").status, 200);
}

TEST(ApisTest, InstructionsStandBesideADevelopersItem) {
  SmallService small;
  small.service.system_places = {.several = false, .late = false};
  const CollectedReply reply = small.Post(Responses, R"({"instructions": "Be brief.", "input": [
      {"role": "developer", "content": [{"type": "input_text", "text": "Be kind."}]}, {"role": "user", "content": "Hi"},
      {"role": "system", "content": "Be true."}]})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(small.PromptText(), "[system]Be brief.\n\nBe kind.\n\nBe true.[user]Hi[assistant]");
}

TEST(ApisTest, CompletionsTakeTextAndIds) {
  SmallService small;
  const CollectedReply text = small.Post(Completions, R"({"prompt": "ab", "max_tokens": 3})");
  EXPECT_EQ(text.json()["choices"][0]["text"], "Hel");
  EXPECT_EQ(text.json()["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(small.PromptText(0), "ab");
  const CollectedReply ids = small.Post(Completions, R"({"prompt": [[97, 98], [99]], "echo": true, "max_tokens": 1})");
  EXPECT_EQ(ids.json()["choices"][0]["text"], "abH");
  EXPECT_EQ(ids.json()["choices"][1]["text"], "cH");
}

TEST(ApisTest, ACompletionOfNoTokensIsItsPrompt) {
  SmallService small;
  const Json answer = small.Post(Completions, R"({"prompt": "ab", "echo": true, "max_tokens": 0})").json();
  EXPECT_EQ(answer["choices"][0]["text"], "ab");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(answer["usage"]["completion_tokens"], 0);
  EXPECT_TRUE(small.upstream.requests.empty());
}

TEST(ApisTest, AnEchoHasItsProbabilities) {
  SmallService small;
  const Json answer =
      small.Post(Completions, R"({"prompt": [256, 97, 98], "echo": true, "logprobs": 2, "max_tokens": 1})").json();
  EXPECT_EQ(answer["choices"][0]["text"], "abH");
  const Json& logprobs = answer["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["tokens"][1], "a");
  EXPECT_EQ(logprobs["tokens"][3], "H");
  EXPECT_EQ(logprobs["token_logprobs"], (Json{nullptr, -0.25, -0.25, -0.25}));
  EXPECT_EQ(logprobs["top_logprobs"][0], nullptr);
  EXPECT_EQ(logprobs["top_logprobs"][1], (Json{{"a", -0.25}, {"b", -1.25}}));
  // Where each token's text begins; the first one is a control token and has none.
  EXPECT_EQ(logprobs["text_offset"], (Json{0, 0, 1, 2}));
  const Json alone =
      small.Post(Completions, R"({"prompt": "ab", "echo": true, "logprobs": 1, "max_tokens": 0})").json();
  EXPECT_EQ(alone["choices"][0]["logprobs"]["token_logprobs"], (Json{nullptr, -0.25}));
  const CollectedReply stream =
      small.Post(Completions, R"({"prompt": "ab", "echo": true, "logprobs": 1, "max_tokens": 1, "stream": true})");
  EXPECT_EQ(Json::parse(stream.events[0].second)["choices"][0]["logprobs"]["tokens"], (Json{"a", "b"}));
  small.upstream.failure = Error{ErrorCode::kUnsupported, "prompt", "cannot", ""};
  const CollectedReply refused = small.Post(Completions, R"({"prompt": "ab", "echo": true, "logprobs": 1})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json()["error"]["param"], "echo");
}

TEST(ApisTest, ResponsesIncludeProbabilities) {
  SmallService small;
  const std::string ask = R"({"input": "Hi", "include": ["message.output_text.logprobs"], "top_logprobs": 2)";
  const Json whole = small.Post(Responses, ask + "}").json();
  const Json& part = whole["output"][0]["content"][0];
  std::string said;
  for (const Json& entry : part["logprobs"]) {
    said += entry["token"].get<std::string>();
    EXPECT_EQ(entry["top_logprobs"].size(), 2U);
  }
  EXPECT_EQ(said, "Hello");  // without the token that ended it
  EXPECT_EQ(whole["top_logprobs"], 2);
  Json seen = Json::array();
  for (const auto& [name, data] : small.Post(Responses, ask + R"(, "stream": true})").events) {
    const Json event = Json::parse(data);
    if (name == "response.output_text.delta")
      seen.insert(seen.end(), event["logprobs"].begin(), event["logprobs"].end());
    if (name == "response.output_text.done") {
      EXPECT_EQ(event["logprobs"], part["logprobs"]);
    }
    if (name == "response.completed") {
      EXPECT_EQ(event["response"]["output"][0]["content"][0]["logprobs"], part["logprobs"]);
    }
  }
  EXPECT_EQ(seen, part["logprobs"]);
  EXPECT_EQ(small.Post(Responses, R"({"input": "Hi"})").json()["output"][0]["content"][0]["logprobs"], Json::array());
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
  small.service.n_context = [] { return 4096; };
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
