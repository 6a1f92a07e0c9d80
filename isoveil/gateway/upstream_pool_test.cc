#include "isoveil/gateway/upstream_pool.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/engine/typed_upstream_for_test.h"
#include "isoveil/gateway/request_meter.h"

namespace isoveil {
namespace {

using namespace std::chrono_literals;

// A server with a name, which is the only token it ever says, as often as it is asked for.
class Named final : public TypedUpstream {
 public:
  explicit Named(int32_t name) : name_(name) {}

  Result<UpstreamInfo> Probe(std::stop_token = {}) override {
    if (away) return Fail(ErrorCode::kUnavailable, "upstream", "is away");
    UpstreamInfo info{.n_vocab = model.load(), .n_context = 100 + name_, .tasks = {TaskKind::kGenerate}};
    if (can_score) info.tasks.push_back(TaskKind::kScore);
    if (can_embed) info.tasks.push_back(TaskKind::kEmbed);
    return info;
  }
  Result<Contact> Look(std::stop_token = {}) override {
    if (away || fell_silent) return Fail(ErrorCode::kUnavailable, "upstream", "is away");
    return Contact{life, ""};
  }
  bool Stands(const Contact& contact) const override { return !away && contact.connection == life; }

  Result<GenerateResult> Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                  std::stop_token stop) override {
    ++asked;
    last = request;
    if (away) return Fail(ErrorCode::kUnavailable, "upstream", "is away");
    if (failure) return tl::unexpected(*failure);
    if (gate) gate->arrive_and_wait();
    while (frozen && !stop.stop_requested()) std::this_thread::sleep_for(1ms);
    GenerateResult result{.finish = FinishReason::kLength, .usage = {.prompt_tokens = request.prompt.size()}};
    for (int32_t i = 0; i < request.sampling.max_tokens; ++i) {
      fell_silent = fell_silent || i == falls_silent_after;
      while (fell_silent && !stop.stop_requested()) std::this_thread::sleep_for(1ms);
      if (stop.stop_requested()) return result.finish = FinishReason::kCancelled, result;
      if (i == dies_after) {
        away = true;
        return Fail(ErrorCode::kUnavailable, "upstream", "the stream ends early");
      }
      ++result.usage.completion_tokens;
      if (!on_token({.id = WireId{name_}})) return result.finish = FinishReason::kCancelled, result;
    }
    return result;
  }
  // The ids that were sent, as likely as the server's name.
  Result<std::vector<GeneratedToken>> Score(std::span<const WireId> ids, int32_t, std::stop_token) override {
    if (away) return Fail(ErrorCode::kUnavailable, "upstream", "is away");
    std::vector<GeneratedToken> tokens;
    for (const WireId id : ids) tokens.push_back({.id = id, .logprob = static_cast<float>(name_)});
    return tokens;
  }
  Result<Vectors> Embed(const VectorRequest& request, std::stop_token stop) override {
    ++asked;
    while (frozen && !stop.stop_requested()) std::this_thread::sleep_for(1ms);
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "upstream", "was stopped");
    if (away) return Fail(ErrorCode::kUnavailable, "upstream", "is away");
    return Vectors(request.inputs.size(), {static_cast<float>(name_)});
  }

  // Another process under the same address.
  void Restart() { ++life, away = false, frozen = false; }

  std::atomic<bool> away = false;
  std::atomic<bool> frozen = false;
  std::atomic<bool> can_score = true;
  std::atomic<bool> can_embed = true;
  std::atomic<uint64_t> life = 1;
  std::atomic<int64_t> model = 7;
  std::atomic<int> dies_after = -1;
  std::atomic<int> falls_silent_after = -1;
  std::atomic<bool> fell_silent = false;
  std::optional<Error> failure;
  std::latch* gate = nullptr;
  std::atomic<int> asked = 0;
  GenerateRequest last;

 private:
  int32_t name_;
};

Result<UpstreamInfo> AdmitModel7(Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const UpstreamInfo info, server.Probe(std::move(cancel)));
  if (info.n_vocab != 7) return Fail(ErrorCode::kMismatch, "upstream", "runs another model");
  return info;
}

PoolOptions Quick() {
  return {.look_every = 20ms, .start_wait = 2s, .admission = 2s, .silence = 50ms, .last_silence = 100ms, .rest = 500ms};
}

struct Pool {
  explicit Pool(int n, AdmitCallback admit = AdmitModel7, PoolOptions options = Quick()) {
    std::vector<std::unique_ptr<Upstream>> servers;
    for (int i = 0; i < n; ++i) {
      servers.push_back(std::make_unique<Named>(i));
      server.push_back(static_cast<Named*>(servers.back().get()));
    }
    pool = std::make_unique<UpstreamPool>(std::move(servers), std::move(admit), std::move(options));
  }
  // Who answered, token by token.
  std::vector<int32_t> Ask(int32_t n = 1, SamplingParams sampling = {}) {
    std::vector<int32_t> names;
    sampling.max_tokens = n;
    last = Generate(*pool, {.prompt = WireIds({5}), .sampling = sampling},
                    [&](const GeneratedToken& token) { return names.push_back(Value(token.id)), true; });
    return names;
  }
  bool Eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 500; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  std::vector<Named*> server;
  std::unique_ptr<UpstreamPool> pool;
  Result<GenerateResult> last = GenerateResult{};
};

TEST(UpstreamPoolTest, ScoresAreAskedOfAServerThatCan) {
  const std::vector<WireId> ids = WireIds({1, 2});
  Pool pool(3);
  pool.server[0]->can_score = pool.server[2]->can_score = false;
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return pool.pool->n_ready() == 3; }));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Score(*pool.pool, ids, 1)->front().logprob, 1);
  // Those that cannot are not at fault.
  EXPECT_EQ(pool.pool->n_ready(), 3U);
  pool.server[1]->away = true;
  EXPECT_EQ(Score(*pool.pool, ids, 1).error().code, ErrorCode::kUnavailable);

  Pool none(2);
  none.server[0]->can_score = none.server[1]->can_score = false;
  ASSERT_TRUE(none.pool->Start());
  EXPECT_EQ(Score(*none.pool, ids, 1).error().code, ErrorCode::kUnsupported);
}

TEST(UpstreamPoolTest, AServerThatFallsSilentInTheMiddleIsGivenUpAndAnotherGoesOn) {
  Pool pool(2);
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return pool.pool->n_ready() == 2; }));
  pool.server[0]->falls_silent_after = 2;
  // Equals take turns: one of the requests begins at the first server.
  std::vector<int32_t> names;
  for (int i = 0; i < 20 && (names.empty() || names.front() == 1); ++i) names = pool.Ask(5);
  ASSERT_TRUE(pool.last) << pool.last.error().Message();
  EXPECT_EQ(names, (std::vector<int32_t>{0, 0, 1, 1, 1}));
  EXPECT_EQ(pool.last->usage.completion_tokens, 5U);
  EXPECT_EQ(pool.last->finish, FinishReason::kLength);
}

// The pool knows no task: what it does for generations it does for vectors.
TEST(UpstreamPoolTest, AnotherServerEmbedsWhereOneIsAwaySilentOrExchanged) {
  const VectorRequest request{.inputs = {WireIds({1, 2}), WireIds({3})}};
  Pool pool(2);
  pool.server[1]->can_embed = false;
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return pool.pool->n_ready() == 2; }));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*Embed(*pool.pool, request), (Vectors{{0}, {0}}));
  pool.server[0]->Restart();
  EXPECT_EQ(*Embed(*pool.pool, request), (Vectors{{0}, {0}})) << "it is admitted again";
  pool.server[0]->away = true;
  EXPECT_EQ(Embed(*pool.pool, request).error().code, ErrorCode::kUnavailable);

  Pool both(2);
  ASSERT_TRUE(both.pool->Start());
  ASSERT_TRUE(both.Eventually([&] { return both.pool->n_ready() == 2; }));
  both.server[0]->frozen = both.server[0]->away = true;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(*Embed(*both.pool, request), (Vectors{{1}, {1}}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Embed(*both.pool, request, stop.get_token()).error().code, ErrorCode::kCancelled);
}

TEST(RequestMeterTest, AScoredPromptIsCounted) {
  const std::vector<WireId> ids = WireIds({1, 2, 3});
  Pool pool(2);
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return pool.pool->n_ready() == 2; }));
  RequestMeter meter(*pool.pool);
  const auto tokens = Score(meter, ids, 1);
  ASSERT_TRUE(tokens);
  EXPECT_EQ(meter.cost().prompt_tokens, 3U);
  EXPECT_EQ(meter.cost().completion_tokens, 0U);
  EXPECT_EQ(meter.cost().server, static_cast<size_t>(*tokens->front().logprob));
  pool.server[0]->away = pool.server[1]->away = true;
  EXPECT_FALSE(Score(meter, ids, 1));
  EXPECT_EQ(meter.cost().failure, ErrorCode::kUnavailable);
}

TEST(UpstreamPoolTest, TheLeastBusyServerAnswersAndEqualsTakeTurns) {
  Pool pool(2);
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return pool.pool->n_ready() == 2; }));
  for (int i = 0; i < 20; ++i) (void)pool.Ask();
  EXPECT_EQ(pool.server[0]->asked, 10);
  EXPECT_EQ(pool.server[1]->asked, 10);
  std::latch gate(2);
  pool.server[0]->gate = pool.server[1]->gate = &gate;
  std::vector<int32_t> first, second;
  std::thread other([&] {
    (void)Generate(*pool.pool, {.prompt = WireIds({5})},
                   [&](const GeneratedToken& token) { return first.push_back(Value(token.id)), true; });
  });
  (void)Generate(*pool.pool, {.prompt = WireIds({5})},
                 [&](const GeneratedToken& token) { return second.push_back(Value(token.id)), true; });
  other.join();
  EXPECT_NE(first, second) << "both wait at the gate, which opens for two servers";
}

TEST(UpstreamPoolTest, WhateverOneServerDoesAnotherAnswers) {
  for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kInvalidArgument, ErrorCode::kFormat,
                               ErrorCode::kAuth, ErrorCode::kUnsupported, ErrorCode::kMismatch, ErrorCode::kNotFound}) {
    Pool pool(3);
    ASSERT_TRUE(pool.pool->Start());
    pool.server[0]->failure = Error{code, "upstream", "fails", ""};
    for (int i = 0; i < 12; ++i) {
      const auto names = pool.Ask();
      ASSERT_EQ(names.size(), 1U) << pool.last.error().Message();
      EXPECT_NE(names.front(), 0);
    }
    EXPECT_LT(pool.server[0]->asked, 6) << "it rests, and does not take every third request";
  }
}

TEST(UpstreamPoolTest, WithAllAwayTheErrorSaysSo) {
  Pool pool(3);
  ASSERT_TRUE(pool.pool->Start());
  for (Named* server : pool.server) server->away = true;
  EXPECT_TRUE(pool.Ask().empty());
  EXPECT_EQ(pool.last.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(pool.pool->n_ready(), 0U);
  EXPECT_EQ(pool.pool->state(), ServerState::kAway);
}

TEST(UpstreamPoolTest, WhatAllServersRefuseIsNoMistakeOfTheClient) {
  Pool pool(2);
  ASSERT_TRUE(pool.pool->Start());
  for (Named* server : pool.server)
    server->failure = Error{ErrorCode::kInvalidArgument, "upstream", "does not like a number", ""};
  EXPECT_TRUE(pool.Ask().empty());
  EXPECT_EQ(pool.last.error().code, ErrorCode::kFormat);
}

// Restarted with another model while nobody asks: not one token of it gets through.
TEST(UpstreamPoolTest, ANewContactIsAdmittedBeforeItIsUsed) {
  PoolOptions rarely = Quick();
  rarely.look_every = 1h;
  Pool pool(1, AdmitModel7, rarely);
  ASSERT_TRUE(pool.pool->Start());
  EXPECT_EQ(pool.Ask().size(), 1U);
  pool.server[0]->model = 8;
  pool.server[0]->Restart();
  const int before = pool.server[0]->asked;
  EXPECT_TRUE(pool.Ask().empty());
  EXPECT_EQ(pool.last.error().code, ErrorCode::kMismatch);
  EXPECT_EQ(pool.server[0]->asked, before);
  EXPECT_EQ(pool.pool->state(), ServerState::kWrong);
  pool.server[0]->model = 7;
  pool.server[0]->Restart();
  EXPECT_EQ(pool.Ask().size(), 1U);
}

// Exchanged between the look and the first token.
TEST(UpstreamPoolTest, ATokenOfAnotherContactIsNotDelivered) {
  PoolOptions rarely = Quick();
  rarely.look_every = 1h;
  Pool pool(2, AdmitModel7, rarely);
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return pool.pool->n_ready() == 2; }));
  std::latch gate(2);
  pool.server[0]->gate = &gate;
  std::vector<int32_t> names;
  std::thread asking([&] {
    do names = pool.Ask();
    while (pool.server[0]->asked == 0);
  });
  ASSERT_TRUE(pool.Eventually([&] { return pool.server[0]->asked == 1; }));
  pool.server[0]->Restart();
  gate.arrive_and_wait();
  asking.join();
  EXPECT_EQ(names, std::vector<int32_t>{1});
}

// A server closes a connection that was silent for a while; vLLM after five seconds.
TEST(UpstreamPoolTest, TheOnlyServerIsAskedAgainAfterANewContact) {
  PoolOptions rarely = Quick();
  rarely.look_every = 1h;
  for (const int64_t model : {7, 8}) {
    Pool pool(1, AdmitModel7, rarely);
    ASSERT_TRUE(pool.pool->Start());
    pool.server[0]->frozen = true;
    std::vector<int32_t> names;
    std::thread asking([&] { names = pool.Ask(); });
    ASSERT_TRUE(pool.Eventually([&] { return pool.server[0]->asked == 1; }));
    pool.server[0]->model = model;
    pool.server[0]->Restart();
    asking.join();
    EXPECT_EQ(names, model == 7 ? std::vector<int32_t>{0} : std::vector<int32_t>{});
    EXPECT_EQ(pool.last.has_value(), model == 7);
    EXPECT_EQ(pool.server[0]->asked, model == 7 ? 2 : 1);
  }
}

TEST(UpstreamPoolTest, HealthFollowsTheServersWithoutARequest) {
  Pool pool(1);
  ASSERT_TRUE(pool.pool->Start());
  EXPECT_EQ(pool.pool->state(), ServerState::kReady);
  pool.server[0]->away = true;
  EXPECT_TRUE(pool.Eventually([&] { return pool.pool->state() == ServerState::kAway; }));
  pool.server[0]->model = 8;
  pool.server[0]->Restart();
  EXPECT_TRUE(pool.Eventually([&] { return pool.pool->state() == ServerState::kWrong; }));
  pool.server[0]->model = 7;
  pool.server[0]->Restart();
  EXPECT_TRUE(pool.Eventually([&] { return pool.pool->state() == ServerState::kReady; }));
}

TEST(UpstreamPoolTest, AnAnswerGoesOnAtAnotherServer) {
  Pool pool(2);
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return pool.pool->n_ready() == 2; }));
  pool.server[0]->dies_after = 3;
  std::vector<int32_t> names;
  do names = pool.Ask(5);
  while (pool.server[0]->asked == 0);
  EXPECT_EQ(names, (std::vector<int32_t>{0, 0, 0, 1, 1}));
  EXPECT_EQ(pool.server[1]->last.prompt, WireIds({5, 0, 0, 0}));
  EXPECT_EQ(pool.server[1]->last.sampling.max_tokens, 2);
  EXPECT_EQ(pool.last->usage.prompt_tokens, 1U);
  EXPECT_EQ(pool.last->usage.completion_tokens, 5U);
}

// A penalty counts what the server itself has generated.
TEST(UpstreamPoolTest, AnAnswerWithPenaltiesDoesNotGoOnElsewhere) {
  Pool pool(2);
  ASSERT_TRUE(pool.pool->Start());
  pool.server[0]->dies_after = pool.server[1]->dies_after = 3;
  EXPECT_EQ(pool.Ask(5, {.frequency_penalty = 0.5}).size(), 3U);
  EXPECT_EQ(pool.last.error().code, ErrorCode::kUnavailable);
}

TEST(UpstreamPoolTest, AnAnswerOfWhichOnlyTheLastWordIsMissingIsWhole) {
  Pool pool(1);
  ASSERT_TRUE(pool.pool->Start());
  pool.server[0]->dies_after = 3;
  EXPECT_EQ(pool.Ask(3).size(), 3U);
  EXPECT_TRUE(pool.last.has_value());
}

TEST(UpstreamPoolTest, ASilentServerIsGivenUp) {
  Pool pool(2);
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return pool.pool->n_ready() == 2; }));
  pool.server[0]->frozen = true;
  std::vector<int32_t> names;
  std::thread asking([&] {
    do names = pool.Ask();
    while (pool.server[0]->asked == 0);
  });
  ASSERT_TRUE(pool.Eventually([&] { return pool.server[0]->asked == 1; }));
  pool.server[0]->away = true;  // looks find no life either
  asking.join();
  EXPECT_EQ(names, std::vector<int32_t>{1});
}

// The thread sanitizer sees what outlives the pool.
TEST(UpstreamPoolTest, EndsWhileItsServersChange) {
  PoolOptions options = Quick();
  options.look_every = 1ms;
  for (int i = 0; i < 100; ++i) {
    std::atomic<int> n_changes = 0;
    options.on_change = [&](size_t, ServerState, const std::string&) { ++n_changes; };
    Pool pool(3, AdmitModel7, options);
    ASSERT_TRUE(pool.pool->Start());
    std::jthread trouble([&](std::stop_token stop) {
      while (!stop.stop_requested()) {
        for (Named* server : pool.server) server->away = !server->away;
        std::this_thread::sleep_for(1ms);
      }
    });
    ASSERT_TRUE(pool.Eventually([&] { return n_changes >= 3; }));
    trouble = {};
    for (Named* server : pool.server) server->away = !server->away;
    pool.pool.reset();
  }
}

TEST(UpstreamPoolTest, AWaitForAnExaminationEndsWithTheRequest) {
  std::atomic<int> n_admissions = 0;
  Pool pool(1,
            [&](Upstream&, std::stop_token cancel) -> Result<UpstreamInfo> {
              ++n_admissions;
              while (!cancel.stop_requested()) std::this_thread::sleep_for(1ms);
              return Fail(ErrorCode::kCancelled, "upstream", "was cancelled");
            },
            {.start_wait = 1ms, .admission = 60s});
  ASSERT_TRUE(pool.pool->Start());
  ASSERT_TRUE(pool.Eventually([&] { return n_admissions == 1; }));
  std::stop_source client;
  std::jthread leaves([&] {
    std::this_thread::sleep_for(20ms);
    client.request_stop();
  });
  const auto probed = pool.pool->Probe(client.get_token());
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(n_admissions, 1);
}

TEST(UpstreamPoolTest, StartsWithoutAServerAndRefusesOnlyIfAllAreWrong) {
  Pool some(3);
  some.server[0]->away = true;
  some.server[1]->model = 8;
  EXPECT_TRUE(some.pool->Start());
  Pool away(2);
  away.server[0]->away = away.server[1]->away = true;
  EXPECT_TRUE(away.pool->Start());
  EXPECT_EQ(away.pool->n_ready(), 0U);
  away.server[1]->Restart();
  EXPECT_TRUE(away.Eventually([&] { return away.pool->n_ready() == 1; }));
  EXPECT_EQ(away.pool->n_context(), 101);
  Pool wrong(2);
  wrong.server[0]->model = wrong.server[1]->model = 8;
  EXPECT_EQ(wrong.pool->Start().error().code, ErrorCode::kMismatch);
}

TEST(UpstreamPoolTest, AnAdmissionThatHangsHoldsNobodyUp) {
  PoolOptions options = Quick();
  options.start_wait = 100ms;
  std::atomic<bool> asked = false;
  const auto hang = [&](Upstream&, std::stop_token stop) -> Result<UpstreamInfo> {
    asked = true;
    while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
    return Fail(ErrorCode::kCancelled, "upstream", "was stopped");
  };
  options.admission = 10s;
  const auto begin = std::chrono::steady_clock::now();
  {
    Pool pool(1, hang, options);
    EXPECT_TRUE(pool.pool->Start());
    std::stop_source stop;
    std::jthread client([&] {
      EXPECT_FALSE(Generate(
          *pool.pool, {.prompt = WireIds({5})}, [](auto&) { return true; }, stop.get_token()));
    });
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_TRUE(asked);
}

}  // namespace
}  // namespace isoveil
