#include "isoveil/gateway/guard.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

constexpr char kKey[] = "a-key-of-this-test";

Guard Make(GuardOptions options = {}) {
  auto guard = Guard::Create(std::move(options));
  EXPECT_TRUE(guard);
  return *guard;
}

int PlaceStatus(const Guard& guard, const Caller& caller) {
  const auto refusal = guard.CheckPlace(caller);
  return refusal ? refusal->status : 200;
}

TEST(Guard, KnowsItsOwnNamesOnly) {
  const Guard guard = Make({.port = 8080, .allowed_hosts = {"Gate.example"}});
  for (const char* host : {"127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "127.0.0.1",
                           "gate.example", "gate.example:8080"}) {
    EXPECT_EQ(PlaceStatus(guard, {.host = host}), 200) << host;
  }
  for (const char* host : {"", "evil.example", "127.evil.example:8080", "localhost.evil.example:8080", "127.0.0.1:9999",
                           "0.0.0.0:8080", "gate.example.evil:8080", "gate.example:1"}) {
    EXPECT_EQ(PlaceStatus(guard, {.host = host}), 403) << host;
  }
}

TEST(Guard, RefusesPagesOfOtherOrigins) {
  const Guard guard = Make({.allowed_origins = {"https://app.example"}});
  const char* host = "127.0.0.1:8080";
  for (const char* origin : {"", "http://127.0.0.1:8080", "https://app.example", "HTTPS://APP.EXAMPLE"}) {
    EXPECT_EQ(PlaceStatus(guard, {.host = host, .origin = origin}), 200) << origin;
  }
  for (const char* origin : {"null", "https://evil.example", "http://127.0.0.1:9999", "https://app.example.evil"}) {
    EXPECT_EQ(PlaceStatus(guard, {.host = host, .origin = origin}), 403) << origin;
  }
  EXPECT_EQ(PlaceStatus(guard, {.host = host, .fetch_site = "cross-site"}), 403);
}

TEST(Guard, ListensElsewhereOnlyWithAKey) {
  EXPECT_FALSE(Guard::Create({.host = "0.0.0.0"}));
  EXPECT_FALSE(Guard::Create({.host = "127.evil.example"}));
  EXPECT_FALSE(Guard::Create({.host = "0.0.0.0", .api_keys = {"short"}}));
  EXPECT_TRUE(Guard::Create({.host = "0.0.0.0", .api_keys = {kKey}}));
}

TEST(Guard, ComparesKeys) {
  const Guard guard = Make({.api_keys = {"another-long-enough-key", kKey}});
  size_t who = 9;
  EXPECT_FALSE(guard.CheckKey({.authorization = std::string("Bearer ") + kKey}, &who));
  EXPECT_EQ(who, 1U);
  EXPECT_FALSE(guard.CheckKey({.authorization = std::string("bearer ") + kKey}, &who));
  for (const std::string& wrong : {std::string(), std::string("Bearer "), std::string(kKey),
                                   std::string("Bearer ") + kKey + "x", std::string("Basic ") + kKey}) {
    const auto refusal = guard.CheckKey({.authorization = wrong}, &who);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->status, 401);
    EXPECT_EQ(refusal->message.find(kKey), std::string::npos);
  }
}

TEST(Guard, CountsRequestsOfOneKeyAndGivesSlotsBack) {
  Guard guard = Make({.max_concurrent = 2});
  auto first = guard.Enter(0);
  auto second = guard.Enter(0);
  ASSERT_TRUE(first && second);
  const auto third = guard.Enter(0);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().status, 429);
  EXPECT_TRUE(guard.Enter(1));
  first->reset();
  EXPECT_TRUE(guard.Enter(0));
}

TEST(Guard, LimitsTheRate) {
  Guard guard = Make({.max_per_minute = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(guard.Enter(0));
  const auto refused = guard.Enter(0);
  ASSERT_FALSE(refused);
  ASSERT_TRUE(refused.error().retry_after_seconds);
  EXPECT_GE(*refused.error().retry_after_seconds, 1);
  EXPECT_LE(*refused.error().retry_after_seconds, 21);
}

}  // namespace
}  // namespace isoveil
