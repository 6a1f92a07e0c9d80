// The shapes of every server's requests and answers, as in tests/vectors/engine.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "isoveil/base/file.h"
#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/engine/server_kind.h"
#include "isoveil/engine/upstream_factory.h"
#include "isoveil/net/fake_server_for_test.h"

namespace isoveil {
namespace {

using nlohmann::json;

GenerateRequest ReadRequest(const json& vector) {
  GenerateRequest request;
  request.prompt = vector.at("prompt").get<std::vector<WireId>>();
  SamplingParams& s = request.sampling;
  s.max_tokens = vector.at("max_tokens");
  s.temperature = vector.value("temperature", 1.0);
  s.top_p = vector.value("top_p", 1.0);
  s.top_k = vector.value("top_k", 0);
  s.n_probs = vector.value("n_probs", 0);
  s.ignore_eos = vector.value("ignore_eos", false);
  request.stop_ids = vector.value("stop_ids", std::vector<WireId>{});
  if (vector.contains("seed")) s.seed = vector.at("seed").get<uint32_t>();
  for (const json& pair : vector.value("logit_bias", json::array())) {
    request.logit_bias.emplace_back(pair[0].get<WireId>(), pair[1].is_null() ? -INFINITY : pair[1].get<float>());
  }
  return request;
}

class VectorTest : public testing::TestWithParam<std::string> {
 protected:
  VectorTest() : vector_(json::parse(*ReadTextFile(Path(ISOVEIL_SOURCE_DIR) / "tests/vectors/engine" / GetParam()))) {}

  json vector_;
};

TEST_P(VectorTest, SendsTheRequestAndReadsTheAnswer) {
  std::string line;
  std::string sent;
  const FakeServer server([&](FakeServer::Peer& peer) {
    line = peer.request().substr(0, peer.request().find("\r\n"));
    sent = peer.body();
    peer.Send(FakeServer::kEventStream);
    peer.Send(vector_.at("stream").get<std::string>());
  });
  UpstreamOptions options;
  options.url = server.url();
  options.kind = *FindServerKind(vector_.at("kind").get<std::string>());
  options.n_vocab = vector_.at("n_vocab");
  options.cache_salt = vector_.value("cache_salt", "");
  const auto upstream = OpenUpstream(options);
  ASSERT_TRUE(upstream) << upstream.error().Message();
  std::vector<WireId> ids;
  std::vector<GeneratedToken> tokens;
  const auto result = Generate(**upstream, ReadRequest(vector_.at("request")), [&](const GeneratedToken& token) {
    ids.push_back(token.id);
    tokens.push_back(token);
    return true;
  });
  ASSERT_TRUE(result) << result.error().Message();

  EXPECT_EQ(line, "POST " + vector_.at("path").get<std::string>() + " HTTP/1.1");
  EXPECT_EQ(json::parse(sent), vector_.at("body"));
  const json& expected = vector_.at("expected");
  EXPECT_EQ(ids, expected.at("ids").get<std::vector<WireId>>());
  EXPECT_EQ(FinishReasonName(result->finish), expected.at("finish").get<std::string>());
  EXPECT_EQ(Value(result->stop_id.value_or(WireId{-1})), expected.value("stop_id", -1));
  EXPECT_EQ(result->usage.prompt_tokens, expected.at("prompt_tokens"));
  EXPECT_EQ(result->usage.completion_tokens, ids.size());
  EXPECT_EQ(result->usage.cached_tokens.has_value(), expected.contains("cached_tokens"));
  EXPECT_EQ(result->usage.cached_tokens.value_or(0), expected.value("cached_tokens", 0U));
  EXPECT_EQ(result->timings.predict_ms.value_or(0), expected.value("predict_ms", 0.0));
  const auto logprobs = expected.value("logprobs", std::vector<float>{});
  const auto top = expected.value("top", std::vector<std::pair<int32_t, float>>{});
  for (size_t i = 0; i < tokens.size(); ++i) {
    ASSERT_EQ(tokens[i].logprob.has_value(), i < logprobs.size());
    EXPECT_NEAR(tokens[i].logprob.value_or(0), i < logprobs.size() ? logprobs[i] : 0, 1e-6);
  }
  ASSERT_EQ(tokens.at(0).top.size(), top.size());
  for (size_t i = 0; i < top.size(); ++i) {
    EXPECT_EQ(Value(tokens[0].top[i].id), top[i].first);
    EXPECT_NEAR(tokens[0].top[i].logprob, top[i].second, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Engine, VectorTest,
                         testing::Values("llama-server-logprobs.json", "llama-server-end-id.json", "vllm-stop-id.json",
                                         "vllm-logprobs.json", "vllm-recorded-stop-id.json",
                                         "vllm-recorded-logprobs.json", "sglang-cumulative.json",
                                         "sglang-incremental.json", "sglang-logprobs.json"));

// A request at its fullest holds no string but what is the same in every request, and the salt.
TEST(DialectTest, NothingButIdsAndNumbersIsSent) {
  GenerateRequest request{.prompt = WireIds({1, 2}),
                          .sampling = {.max_tokens = 5,
                                       .temperature = 0.5,
                                       .top_p = 0.5,
                                       .top_k = 5,
                                       .min_p = 0.1,
                                       .seed = 9,
                                       .presence_penalty = 0.1,
                                       .frequency_penalty = 0.2,
                                       .repeat_penalty = 1.1,
                                       .ignore_eos = true,
                                       .n_probs = 3},
                          .logit_bias = {{WireId{3}, 1.5F}, {WireId{4}, -INFINITY}},
                          .stop_ids = {WireId{5}}};
  const std::function<void(const json&, std::vector<std::string>&)> collect = [&](const json& node, auto& strings) {
    if (node.is_string()) strings.push_back(node);
    for (const json& child : node.is_structured() ? node : json::array()) collect(child, strings);
  };
  const std::vector<std::string> fields = {"tokens",           "stop",   "stop_type", "tokens_evaluated",
                                           "tokens_predicted", "timings"};
  std::vector<std::string> strings;
  collect(json::parse(LlamaServer().generate->write(request, "").body), strings);
  EXPECT_EQ(strings, fields);
  strings.clear();
  collect(json::parse(Vllm().generate->write(request, "salt").body), strings);
  EXPECT_EQ(strings, (std::vector<std::string>{"salt"}));
  strings.clear();
  collect(json::parse(Vllm().score->write(request.prompt, 3, "salt").body), strings);
  EXPECT_EQ(strings, (std::vector<std::string>{"salt"}));
  strings.clear();
  collect(json::parse(Sglang().generate->write(request, "").body), strings);
  EXPECT_TRUE(strings.empty());
}

// What vLLM says of a prompt's own tokens.
class ScoreTest : public testing::Test {
 protected:
  // The answer as the server would send it; the error's message if it is refused.
  std::string Read(const json& answer, std::vector<GeneratedToken>* tokens = nullptr) {
    const FakeServer server([&](FakeServer::Peer& peer) {
      sent_ = peer.body();
      const std::string body = answer.dump();
      peer.Send(fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                            body.size(), body));
    });
    const auto upstream =
        OpenUpstream({.url = server.url(), .kind = &Vllm(), .n_vocab = 4096, .cache_salt = vector_["cache_salt"]});
    const auto read = Score(**upstream, vector_["prompt"].get<std::vector<WireId>>(), vector_["n_top"]);
    if (!read) return read.error().Message();
    if (tokens != nullptr) *tokens = *read;
    return "";
  }

  const json vector_ =
      json::parse(*ReadTextFile(Path(ISOVEIL_SOURCE_DIR) / "tests/vectors/engine/vllm-recorded-scores.json"));
  std::string sent_;
};

TEST_F(ScoreTest, SendsTheRequestAndReadsTheAnswer) {
  std::vector<GeneratedToken> tokens;
  ASSERT_EQ(Read(vector_["answer"], &tokens), "");
  EXPECT_EQ(json::parse(sent_), vector_["body"]);
  const json& expected = vector_["expected"];
  ASSERT_EQ(tokens.size(), expected.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(tokens[i].id, expected[i]["id"]);
    ASSERT_EQ(tokens[i].logprob.has_value(), i > 0);
    ASSERT_EQ(tokens[i].top.size(), expected[i]["top"].size());
    EXPECT_NEAR(tokens[i].logprob.value_or(0), expected[i].value("logprob", 0.0F), 1e-6);
    for (size_t k = 0; k < tokens[i].top.size(); ++k) {
      EXPECT_EQ(tokens[i].top[k].id, expected[i]["top"][k][0]);
      EXPECT_NEAR(tokens[i].top[k].logprob, expected[i]["top"][k][1].get<float>(), 1e-6);
    }
  }
}

TEST_F(ScoreTest, BadAnswersAreNamed) {
  const auto changed = [&](const char* pointer, json value) {
    json answer = vector_["answer"];
    answer[json::json_pointer(pointer)] = std::move(value);
    return Read(answer);
  };
  const auto names = [](const std::string& error, const char* what) { return error.find(what) != std::string::npos; };
  EXPECT_TRUE(names(changed("/choices", json::array()), "choices"));
  EXPECT_TRUE(names(changed("/choices/0/prompt_token_ids", nullptr), "prompt_token_ids"));
  EXPECT_TRUE(names(changed("/choices/0/prompt_token_ids/2", 301), "own id"));
  EXPECT_TRUE(names(changed("/choices/0/prompt_logprobs", nullptr), "prompt_logprobs"));
  EXPECT_TRUE(names(changed("/choices/0/prompt_logprobs/1", nullptr), "prompt_logprobs"));
  EXPECT_TRUE(names(changed("/choices/0/prompt_logprobs/1", {{"x", {{"logprob", -1}}}}), "number of an id"));
  EXPECT_TRUE(names(changed("/choices/0/prompt_logprobs/1/17/logprob", nullptr), "logprob"));
  // Other ids than were sent: their first has no probability that would tell.
  EXPECT_TRUE(names(changed("/choices/0/prompt_token_ids/0", 5), "other ids"));
}

TEST(DialectTest, OthersDoNotTellAPromptsProbabilities) {
  const FakeServer server([](FakeServer::Peer& peer) { peer.SendJson("{}"); });
  for (const ServerKind* kind : {&LlamaServer(), &Sglang()}) {
    const auto upstream = *OpenUpstream({.url = server.url(), .kind = kind});
    EXPECT_EQ(Score(*upstream, WireIds({1, 2}), 1).error().code, ErrorCode::kUnsupported) << kind->name;
  }
  EXPECT_EQ(server.connections(), 0) << "nothing is sent";
}

struct BadEvent {
  const char* text;
  const char* field;  // that the error names
};

void ExpectRefused(const ServerKind& server, const std::vector<BadEvent>& events) {
  for (const auto& [text, field] : events) {
    const auto delta = server.generate->new_decoder()->Decode(json::parse(text));
    ASSERT_FALSE(delta) << text;
    EXPECT_EQ(delta.error().code, ErrorCode::kFormat) << text;
    EXPECT_NE(delta.error().where.find(field), std::string::npos) << text << ": " << delta.error().where;
  }
}

TEST(DialectTest, LlamaServersBadEventsAreNamed) {
  ExpectRefused(
      LlamaServer(),
      {{"[]", "tokens"},
       {"7", "tokens"},
       {R"({"stop":false})", "tokens"},
       {R"({"tokens":7,"stop":false})", "tokens"},
       {R"({"tokens":["7"],"stop":false})", "tokens"},
       {R"({"tokens":[-1],"stop":false})", "tokens"},
       {R"({"tokens":[7.0],"stop":false})", "tokens"},
       {R"({"tokens":[2147483648],"stop":false})", "tokens"},
       {R"({"tokens":[18446744073709551615],"stop":false})", "tokens"},
       {R"({"tokens":[7]})", "stop"},
       {R"({"tokens":[7],"stop":"no"})", "stop"},
       {R"({"tokens":[],"stop":true})", "stop_type"},
       {R"({"tokens":[],"stop":true,"stop_type":"word"})", "stop_type"},
       {R"({"tokens":[7],"stop":false,"completion_probabilities":[{"id":8,"logprob":-1}]})", "id"},
       {R"({"tokens":[7],"stop":false,"completion_probabilities":[{"id":7}]})", "logprob"},
       {R"({"tokens":[7],"stop":false,"completion_probabilities":[{"id":7,"logprob":-1,"top_logprobs":[{}]}]})",
        "id"}});
}

TEST(DialectTest, VllmsBadEventsAreNamed) {
  ExpectRefused(
      Vllm(),
      {{"{}", "choices"},
       {R"({"choices":[{"text":"x"}]})", "token_ids"},
       {R"({"choices":[{"token_ids":null}]})", "token_ids"},
       {R"({"choices":[{"token_ids":[-5]}]})", "token_ids"},
       {R"({"choices":[{"token_ids":[],"finish_reason":"abort"}]})", "finish_reason"},
       {R"({"choices":[{"token_ids":[],"finish_reason":"stop","stop_reason":-1}]})", "stop_reason"},
       {R"({"choices":[{"token_ids":[7],"logprobs":{"top_logprobs":[{"hello":-1}]}}]})", "top_logprobs"},
       {R"({"choices":[{"token_ids":[7],"logprobs":{"top_logprobs":[{"token_id:-7":-1}]}}]})", "top_logprobs"}});
}

TEST(DialectTest, SglangsBadEventsAreNamed) {
  ExpectRefused(
      Sglang(),
      {{R"({"text":"x","meta_info":{"completion_tokens":1}})", "output_ids"},
       {R"({"output_ids":[1]})", "meta_info"},
       {R"({"output_ids":[1],"meta_info":{}})", "completion_tokens"},
       {R"({"output_ids":[1],"meta_info":{"completion_tokens":-1}})", "completion_tokens"},
       {R"({"output_ids":[1],"meta_info":{"completion_tokens":2}})", "output_ids"},
       {R"({"output_ids":[1],"meta_info":{"completion_tokens":1,"finish_reason":{"type":"x"}}})", "finish_reason"},
       {R"({"output_ids":[1],"meta_info":{"completion_tokens":1,"output_token_logprobs":[[-1,2]]}})",
        "output_token_logprobs"}});
}

TEST(DialectTest, SglangsLostOrChangedIdsAreFound) {
  const auto event = [](std::vector<WireId> ids, int total) {
    return json{{"output_ids", ids}, {"meta_info", {{"completion_tokens", total}}}};
  };
  const auto after = [&](const json& second) {
    const auto decoder = Sglang().generate->new_decoder();
    const auto first = decoder->Decode(event(WireIds({1, 2}), 2));
    EXPECT_TRUE(first) << first.error().Message();
    return decoder->Decode(second);
  };
  EXPECT_EQ(after(event(WireIds({1, 2, 3}), 3))->tokens.at(0).id, WireId{3});  // all so far
  EXPECT_EQ(after(event(WireIds({3}), 3))->tokens.at(0).id, WireId{3});        // the new one
  EXPECT_FALSE(after(event(WireIds({4}), 4)));                                 // the third is missing
  EXPECT_FALSE(after(event(WireIds({1, 9, 3}), 3)));                           // the second has changed
}

}  // namespace
}  // namespace isoveil
