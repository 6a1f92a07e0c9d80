// What becomes of a generation when the server or the network does wrong.
#include "isoveil/engine/http_upstream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <nlohmann/json.hpp>

#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/engine/upstream_factory.h"
#include "isoveil/net/fake_server_for_test.h"

namespace isoveil {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

const GenerateRequest kRequest = {.prompt = WireIds({1, 2}), .sampling = {.max_tokens = 10}};

std::string Token(int id) { return fmt::format("data: {{\"tokens\":[{}],\"stop\":false}}\n\n", id); }

std::string End(int n, std::string_view type = "limit") {
  return fmt::format(
      "data: "
      "{{\"tokens\":[],\"stop\":true,\"stop_type\":\"{}\",\"tokens_evaluated\":2,\"tokens_predicted\":{}}}"
      "\n\n",
      type, n);
}

std::unique_ptr<Upstream> Open(const FakeServer& server, HttpOptions http = {}) {
  return *OpenUpstream({.url = server.url(), .kind = &LlamaServer(), .http = std::move(http), .n_vocab = 300});
}

struct Answer {
  std::vector<WireId> ids;
  Result<GenerateResult> result = Fail(ErrorCode::kIo, "", "");
};

// The answer when the server sends `text` and closes the connection.
Answer Receive(std::string_view text, const GenerateRequest& request = kRequest) {
  const FakeServer server([&](FakeServer::Peer& peer) {
    peer.Send(FakeServer::kEventStream);
    peer.Send(text);
  });
  Answer answer;
  answer.result = Generate(*Open(server), request, [&](const GeneratedToken& token) {
    answer.ids.push_back(token.id);
    return true;
  });
  return answer;
}

TEST(HttpUpstreamTest, AnAnswerInManyShapes) {
  for (const std::string& text :
       {Token(5) + Token(6) + End(2), ": ping\n\n" + Token(5) + ": ping\n\n" + Token(6) + End(2),
        Token(5) + Token(6) + End(2) + "data: [DONE]\n\n",
        std::string("data: {\"tokens\":[5,6],\"stop\":false}\n\n") + End(2)}) {
    const Answer answer = Receive(text);
    ASSERT_TRUE(answer.result) << answer.result.error().Message();
    EXPECT_EQ(answer.ids, WireIds({5, 6}));
    EXPECT_EQ(answer.result->finish, FinishReason::kLength);
  }
}

TEST(HttpUpstreamTest, AnEarlyEndIsUnavailableAndSaysWhatIsMissing) {
  for (const std::string& text : {std::string(), Token(5), Token(5) + "data: {\"tok", Token(5) + "data: [DONE]\n\n",
                                  Token(5) + End(1).substr(0, 60)}) {
    const Answer answer = Receive(text);
    ASSERT_FALSE(answer.result) << text;
    EXPECT_EQ(answer.result.error().code, ErrorCode::kUnavailable) << text;
    EXPECT_NE(answer.result.error().problem.find("missing"), std::string::npos) << text;
    EXPECT_EQ(answer.ids.size(), text.empty() ? 0U : 1U);  // what came has been delivered
  }
}

TEST(HttpUpstreamTest, GarbageIsRefused) {
  for (const std::string& text :
       {std::string("data: <html>\n\n"), std::string("data: {\"tokens\":[5]\n\n"), std::string("data: null\n\n"),
        Token(5) + "data: {}\n\n", std::string("data: \xff\xfe\n\n"), Token(-1), Token(300)}) {
    const Answer answer = Receive(text);
    ASSERT_FALSE(answer.result) << text;
    EXPECT_EQ(answer.result.error().code, ErrorCode::kFormat) << text;
  }
}

// What is nested without end, in an event or in an error, is not even looked at.
TEST(HttpUpstreamTest, ADeepEventIsRefusedByName) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& text :
       {Token(5) + "data: " + deep + "\n\n", "data: {\"tokens\":[5],\"stop\":false,\"more\":" + deep + "}\n\n",
        "data: {\"error\":" + deep + "}\n\n"}) {
    const Answer answer = Receive(text);
    ASSERT_FALSE(answer.result);
    EXPECT_EQ(answer.result.error().code, ErrorCode::kFormat);
    EXPECT_EQ(answer.result.error().Message(),
              "event stream: the server's answer is refused: is nested deeper than 64");
  }
}

// Two readers could see two answers.
TEST(HttpUpstreamTest, AnEventThatSaysTwoThingsIsRefused) {
  const Answer answer = Receive("data: {\"tokens\":[5],\"tokens\":[6],\"stop\":false}\n\n");
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().code, ErrorCode::kFormat);
  EXPECT_NE(answer.result.error().problem.find("key 'tokens' occurs twice"), std::string::npos);
}

TEST(HttpUpstreamTest, AnAlternativeOutsideTheVocabularyIsRefused) {
  const Answer answer = Receive(
      "data: {\"tokens\":[5],\"stop\":false,\"completion_probabilities\":[{\"id\":5,\"logprob\":-1,"
      "\"top_logprobs\":[{\"id\":300,\"logprob\":-1}]}]}\n\n");
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().code, ErrorCode::kFormat);
  EXPECT_TRUE(answer.ids.empty());
}

TEST(HttpUpstreamTest, LostIdsAreNoticed) {
  const Answer answer = Receive(Token(5) + End(2));
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().code, ErrorCode::kMismatch);
}

TEST(HttpUpstreamTest, MoreIdsThanAskedForAreRefused) {
  std::string text;
  for (int i = 0; i < 11; ++i) text += Token(i);
  const Answer answer = Receive(text + End(11));
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().code, ErrorCode::kFormat);
  EXPECT_EQ(answer.ids.size(), 10U);
  EXPECT_EQ(Receive(Token(5) + End(1) + Token(6)).result.error().code, ErrorCode::kFormat);
}

TEST(HttpUpstreamTest, AnErrorEventIsReported) {
  const Answer answer = Receive(Token(5) + "data: {\"error\":{\"code\":500,\"message\":\"out of memory\"}}\n\n");
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(answer.result.error().problem.find("'out of memory'"), std::string::npos);
  EXPECT_EQ(Receive("error: {\"code\":400,\"message\":\"no\"}\n\n").result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Receive("data: {\"error\":\"x\"}\n\n").result.error().code, ErrorCode::kUnavailable);
}

// The text that the engine makes of encrypted ids goes nowhere, not even into an error.
TEST(HttpUpstreamTest, TheServersTextIsNotRepeated) {
  const Answer answer = Receive("data: {\"content\":\"t0c4fe\",\"tokens\":\"t0c4fe\",\"stop\":false}\n\n");
  ASSERT_FALSE(answer.result);
  const Error& error = answer.result.error();
  EXPECT_EQ((error.Message() + error.hint).find("c4fe"), std::string::npos);
}

TEST(HttpUpstreamTest, AnOversizedEventIsRefused) {
  const Answer answer = Receive("data: {\"tokens\":[5],\"content\":\"" + std::string(5 << 20, 'x'));
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().code, ErrorCode::kFormat);
}

TEST(HttpUpstreamTest, AStopIdEndsTheAnswerAndTheServersWork) {
  std::promise<bool> closed;
  const FakeServer server([&](FakeServer::Peer& peer) {
    peer.Send(FakeServer::kEventStream);
    for (const int id : {5, 6, 7, 8}) peer.Send(Token(id));
    closed.set_value(peer.WaitForClose());
  });
  GenerateRequest request = kRequest;
  request.stop_ids = WireIds({6, 9});
  std::vector<WireId> ids;
  const auto result = Generate(*Open(server), request, [&](const GeneratedToken& token) {
    ids.push_back(token.id);
    return true;
  });
  ASSERT_TRUE(result) << result.error().Message();
  EXPECT_EQ(ids, WireIds({5, 6}));
  EXPECT_EQ(result->finish, FinishReason::kStop);
  EXPECT_EQ(result->stop_id, WireId{6});
  EXPECT_EQ(result->usage.completion_tokens, 2U);
  EXPECT_TRUE(closed.get_future().get());
}

TEST(HttpUpstreamTest, AStopIdThatIsTheServersOwnKeepsItsNumbers) {
  GenerateRequest request = kRequest;
  request.stop_ids = WireIds({6});
  const Answer answer = Receive(Token(6) +
                                    "data: {\"tokens\":[],\"stop\":true,\"stop_type\":\"eos\",\"tokens_predicted\":1,"
                                    "\"timings\":{\"predicted_ms\":3.5}}\n\n",
                                request);
  ASSERT_TRUE(answer.result) << answer.result.error().Message();
  EXPECT_EQ(answer.result->stop_id, WireId{6});
  EXPECT_EQ(answer.result->timings.predict_ms, 3.5);
}

TEST(HttpUpstreamTest, AStopIdAtTheLimitIsAStop) {
  GenerateRequest request = kRequest;
  request.stop_ids = WireIds({6});
  const Answer answer = Receive(Token(6) + End(1, "limit"), request);
  ASSERT_TRUE(answer.result);
  EXPECT_EQ(answer.result->finish, FinishReason::kStop);
}

TEST(HttpUpstreamTest, ACancelReachesTheServerAtOnce) {
  std::promise<bool> closed;
  const FakeServer server([&](FakeServer::Peer& peer) {
    peer.Send(FakeServer::kEventStream);
    peer.Send(Token(5));
    closed.set_value(peer.WaitForClose());
  });
  std::stop_source stop;
  std::promise<void> first;
  auto result = std::async(std::launch::async, [&] {
    return Generate(
        *Open(server), kRequest,
        [&](const GeneratedToken&) {
          first.set_value();
          return true;
        },
        stop.get_token());
  });
  first.get_future().wait();
  const auto start = Clock::now();
  stop.request_stop();
  const auto outcome = result.get();
  ASSERT_TRUE(outcome) << outcome.error().Message();
  EXPECT_EQ(outcome->finish, FinishReason::kCancelled);
  EXPECT_EQ(outcome->usage.completion_tokens, 1U);
  EXPECT_LT(Clock::now() - start, 2s);
  EXPECT_TRUE(closed.get_future().get());
}

TEST(HttpUpstreamTest, ACancelBeforehandSendsNothing) {
  const FakeServer server([](FakeServer::Peer&) {});
  std::stop_source stop;
  stop.request_stop();
  const auto result = Generate(
      *Open(server), kRequest, [](const GeneratedToken&) { return true; }, stop.get_token());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->finish, FinishReason::kCancelled);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpUpstreamTest, ASilentServerIsGivenUp) {
  const FakeServer server([](FakeServer::Peer& peer) {
    peer.Send(FakeServer::kEventStream);
    peer.Send(Token(5));
    peer.WaitForClose();
  });
  const auto result =
      Generate(*Open(server, {.read_timeout = 100ms}), kRequest, [](const GeneratedToken&) { return true; });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
}

TEST(HttpUpstreamTest, BadRequestsAreNotSent) {
  const FakeServer server([](FakeServer::Peer&) {});
  const auto upstream = Open(server);
  const auto refused = [&](const GenerateRequest& request) {
    const auto result = Generate(*upstream, request, [](const GeneratedToken&) { return true; });
    return !result && result.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused({.prompt = {}, .sampling = {}}));
  EXPECT_TRUE(refused({.prompt = WireIds({300}), .sampling = {}}));
  EXPECT_TRUE(refused({.prompt = WireIds({-1}), .sampling = {}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.max_tokens = 0}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.temperature = NAN}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.temperature = -1}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.top_p = 0}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.top_p = 1.1}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.top_k = -1}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.min_p = 1}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.presence_penalty = INFINITY}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.frequency_penalty = NAN}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.repeat_penalty = 0}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {}, .logit_bias = {{WireId{300}, 1}}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {}, .logit_bias = {{WireId{3}, INFINITY}}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {}, .logit_bias = {{WireId{3}, NAN}}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {}, .stop_ids = {WireId{300}}}));
  EXPECT_TRUE(refused({.prompt = WireIds({1}), .sampling = {.n_probs = -1}}));
  EXPECT_EQ(Embed(*upstream, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

// A server of the given kind that answers everything, less what a test takes away.
FakeServer::Script Serving(const std::string& owner, const std::string& token_event,
                           const std::string& n_vocab = "300") {
  return [=](FakeServer::Peer& peer) {
    if (peer.Is("GET /v1/models ")) {
      peer.SendJson(fmt::format(R"({{"data":[{{"owned_by":"{}","max_model_len":64,"meta":{{"n_vocab":{}}}}}]}})", owner,
                                n_vocab));
    } else if (peer.Is("POST /completion ") || peer.Is("POST /v1/completions ")) {
      peer.Send(FakeServer::kEventStream);
      peer.Send(token_event);
    } else {
      peer.SendJson("{}", 404);
    }
  };
}

TEST(ProbeTest, TellsWhatIsMissing) {
  const FakeServer server(Serving("llamacpp", Token(5) + End(1)));
  const auto info = Open(server)->Probe();
  ASSERT_TRUE(info) << info.error().Message();
  EXPECT_EQ(info->tasks, std::vector{TaskKind::kGenerate});
  EXPECT_EQ(info->missing, (std::vector<std::string>{"logprob", "top_logprobs", "timings"}));
}

TEST(ProbeTest, AServerWithoutIdsIsRefused) {
  const FakeServer no_field(Serving("llamacpp", "data: {\"content\":\"x\",\"stop\":false}\n\n"));
  const auto info = Open(no_field)->Probe();
  ASSERT_FALSE(info);
  EXPECT_NE(info.error().where.find("tokens"), std::string::npos);
  const FakeServer empty(Serving("llamacpp", End(0)));
  EXPECT_EQ(Open(empty)->Probe().error().code, ErrorCode::kUnsupported);
}

TEST(ProbeTest, AnotherVocabularyIsRefused) {
  const FakeServer server(Serving("llamacpp", Token(5) + End(1), "301"));
  EXPECT_EQ(Open(server)->Probe().error().code, ErrorCode::kMismatch);
}

TEST(OpenUpstreamTest, AsksForTheKind) {
  for (const auto& [owner, kind] :
       {std::pair{"llamacpp", &LlamaServer()}, std::pair{"vllm", &Vllm()}, std::pair{"sglang", &Sglang()}}) {
    std::atomic<bool> right_path = false;
    const char* path = kind == &LlamaServer() ? "POST /completion "
                       : kind == &Vllm()      ? "POST /v1/completions "
                                              : "POST /generate ";
    // Clang 14 cannot capture a structured binding by reference.
    const FakeServer server([&, owner = owner](FakeServer::Peer& peer) {
      right_path = right_path || peer.Is(path);
      Serving(owner, "")(peer);
    });
    const auto upstream = OpenUpstream({.url = server.url()});
    ASSERT_TRUE(upstream) << upstream.error().Message();
    EXPECT_FALSE(Generate(**upstream, kRequest, [](const GeneratedToken&) { return true; }));
    EXPECT_TRUE(right_path) << owner;
  }
}

TEST(OpenUpstreamTest, RefusesAnUnknownServer) {
  const FakeServer server(Serving("openai", ""));
  const auto upstream = OpenUpstream({.url = server.url()});
  ASSERT_TRUE(upstream) << "it is asked when it is used";
  const auto info = (*upstream)->Probe();
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(info.error().problem.find("'openai'"), std::string::npos);
  const std::string deep =
      R"({"data":[{"owned_by":"vllm","more":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}]}";
  const FakeServer other([&](FakeServer::Peer& peer) { peer.SendJson(deep); });
  EXPECT_EQ((*OpenUpstream({.url = other.url()}))->Probe().error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(OpenUpstream({.url = "nonsense"}).error().code, ErrorCode::kInvalidArgument);
}

TEST(OpenUpstreamTest, ReadsKindsByName) {
  EXPECT_EQ(*FindServerKind("auto"), nullptr);
  EXPECT_EQ(*FindServerKind("llamacpp"), &LlamaServer());
  for (const ServerKind* kind : ServerKinds()) EXPECT_EQ(*FindServerKind(kind->name), kind);
  const auto unknown = FindServerKind("tgi");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().problem, "expected one of auto, llama-server, vllm, sglang, found 'tgi'");
}

}  // namespace
}  // namespace isoveil
