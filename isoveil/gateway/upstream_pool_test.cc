#include "isoveil/gateway/upstream_pool.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

namespace isoveil {
namespace {

// A server with a name, which is the only token it ever says.
class Named final : public Upstream {
 public:
  explicit Named(int32_t name) : name_(name) {}

  Result<UpstreamInfo> Probe(std::stop_token = {}) override {
    if (failure) return tl::unexpected(*failure);
    return UpstreamInfo{.n_vocab = name_};
  }
  Result<GenerateResult> Generate(const GenerateRequest&, const TokenCallback& on_token,
                                  std::stop_token = {}) override {
    ++asked;
    if (failure && !after_a_token) return tl::unexpected(*failure);
    if (gate) gate->arrive_and_wait();
    on_token({.id = name_});
    if (failure) return tl::unexpected(*failure);
    return GenerateResult{};
  }
  Result<std::vector<float>> Embed(std::span<const int32_t>, std::stop_token = {}) override {
    return std::vector<float>{static_cast<float>(name_)};
  }

  std::optional<Error> failure;
  bool after_a_token = false;
  std::latch* gate = nullptr;
  std::atomic<int> asked = 0;

 private:
  int32_t name_;
};

struct Pool {
  explicit Pool(
      int n, AdmitCallback admit = [](Upstream&) { return Ok(); }) {
    std::vector<std::unique_ptr<Upstream>> servers;
    for (int i = 0; i < n; ++i) {
      servers.push_back(std::make_unique<Named>(i));
      server.push_back(static_cast<Named*>(servers.back().get()));
    }
    pool = std::make_unique<UpstreamPool>(std::move(servers), std::move(admit));
  }
  // Who answered; -1 for none.
  int32_t Ask() {
    int32_t name = -1;
    last = pool->Generate({}, [&](const GeneratedToken& token) { return name = token.id, true; });
    return last ? name : -1;
  }

  std::vector<Named*> server;
  std::unique_ptr<UpstreamPool> pool;
  Result<GenerateResult> last = GenerateResult{};
};

const Error kAway{ErrorCode::kUnavailable, "upstream", "is away", ""};

TEST(UpstreamPoolTest, RequestsAtATimeAreSharedEvenly) {
  Pool pool(3);
  std::latch all(6);
  for (Named* server : pool.server) server->gate = &all;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back(
          [&] { (void)pool.pool->Generate({}, [](const GeneratedToken&) { return true; }).has_value(); });
      // Each must have chosen before the next one does.
      while (pool.server[0]->asked + pool.server[1]->asked + pool.server[2]->asked <= i)
        std::this_thread::yield();
    }
  }
  for (const Named* server : pool.server) EXPECT_EQ(server->asked, 2);
}

TEST(UpstreamPoolTest, AnotherServerStandsInAndTheDeadOneRests) {
  Pool pool(2);
  pool.server[0]->failure = kAway;
  EXPECT_EQ(pool.Ask(), 1);
  EXPECT_EQ(pool.Ask(), 1);
  EXPECT_EQ(pool.server[0]->asked, 1) << "it is left alone for a while";
  pool.server[0]->failure.reset();
  pool.server[1]->failure = kAway;
  EXPECT_EQ(pool.Ask(), 0) << "a resting one is better than none";
}

TEST(UpstreamPoolTest, NoAnswerIsBegunTwice) {
  Pool pool(2);
  pool.server[0]->failure = kAway;
  pool.server[0]->after_a_token = true;
  EXPECT_EQ(pool.Ask(), -1);
  EXPECT_EQ(pool.last.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(pool.server[1]->asked, 0);
}

TEST(UpstreamPoolTest, WithAllAwayTheErrorSaysSo) {
  Pool pool(3);
  for (Named* server : pool.server) server->failure = kAway;
  EXPECT_EQ(pool.Ask(), -1);
  EXPECT_EQ(pool.last.error().code, ErrorCode::kUnavailable);
  for (const Named* server : pool.server) EXPECT_EQ(server->asked, 1);
}

TEST(UpstreamPoolTest, WhatAServerRefusesIsNoMistakeOfTheClient) {
  Pool pool(2);
  pool.server[0]->failure = Error{ErrorCode::kInvalidArgument, "upstream", "does not like a number", ""};
  EXPECT_EQ(pool.Ask(), -1);
  EXPECT_EQ(pool.last.error().code, ErrorCode::kFormat);
  EXPECT_EQ(pool.server[1]->asked, 0) << "the next one would not take it either";
}

TEST(UpstreamPoolTest, NoServerIsUsedUnadmitted) {
  int admissions = 0;
  bool wrong = false;
  Pool pool(2, [&](Upstream& server) -> Status {
    ++admissions;
    const auto info = server.Probe();
    if (!info) return tl::unexpected(info.error());
    if (wrong || info->n_vocab == 0) return Fail(ErrorCode::kMismatch, "upstream", "runs another model");
    return Ok();
  });
  EXPECT_EQ(pool.Ask(), 1);
  EXPECT_EQ(pool.server[0]->asked, 0);
  EXPECT_EQ(pool.pool->n_ready(), 1U);
  const int before = admissions;
  EXPECT_EQ(pool.Ask(), 1);
  EXPECT_EQ(admissions, before) << "once is enough";
  // It was away; what comes back under its address may be something else.
  pool.server[1]->failure = kAway;
  EXPECT_EQ(pool.Ask(), -1);
  pool.server[1]->failure.reset();
  wrong = true;
  EXPECT_EQ(pool.Ask(), -1);
  EXPECT_EQ(pool.last.error().code, ErrorCode::kMismatch);
}

TEST(UpstreamPoolTest, StartsWithOneFitServerAndRefusesAWrongOne) {
  const auto admit = [](Upstream& server) -> Status {
    const auto info = server.Probe();
    if (!info) return tl::unexpected(info.error());
    return Ok();
  };
  Pool some(2, admit);
  some.server[1]->failure = kAway;
  EXPECT_TRUE(some.pool->Start());
  Pool none(2, admit);
  none.server[0]->failure = none.server[1]->failure = kAway;
  EXPECT_EQ(none.pool->Start().error().code, ErrorCode::kUnavailable);
  Pool wrong(2, admit);
  wrong.server[1]->failure = Error{ErrorCode::kMismatch, "upstream", "runs another model", ""};
  EXPECT_EQ(wrong.pool->Start().error().code, ErrorCode::kMismatch);
}

}  // namespace
}  // namespace isoveil
