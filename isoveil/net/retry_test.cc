#include "isoveil/net/retry.h"

#include <gtest/gtest.h>

#include <thread>

namespace isoveil {
namespace {

using std::chrono::milliseconds;

RequestFailure Passing(std::optional<std::chrono::seconds> retry_after = std::nullopt) {
  return {{ErrorCode::kUnavailable, "there", "HTTP 503", ""}, true, retry_after};
}

class RetryTest : public testing::Test {
 protected:
  RetryTest() {
    policy_.first_wait = milliseconds(4);
    policy_.longest_wait = milliseconds(16);
    policy_.on_wait = [this](const std::string& text) { waits_.push_back(text); };
  }

  RetryPolicy policy_;
  std::vector<std::string> waits_;
  std::stop_source source_;
  const std::stop_token stop_ = source_.get_token();
};

TEST_F(RetryTest, GivesUpAfterEnough) {
  policy_.retries = 3;
  Backoff backoff(policy_);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(backoff.Wait(Passing(), stop_));
  const Status status = backoff.Wait(Passing(), stop_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(status.error().problem.find("after 4 tries"), std::string::npos);
  EXPECT_EQ(waits_.size(), 3u);
}

TEST_F(RetryTest, BeginsAgainAfterProgress) {
  policy_.retries = 1;
  Backoff backoff(policy_);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(backoff.Wait(Passing(), stop_));
    backoff.Progress();
  }
}

TEST_F(RetryTest, WaitsLongerEachTime) {
  policy_.retries = 5;
  Backoff backoff(policy_);
  std::vector<milliseconds> took;
  for (int i = 0; i < 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(backoff.Wait(Passing(), stop_));
    took.push_back(std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start));
  }
  EXPECT_GE(took[0], milliseconds(4));
  EXPECT_GE(took[1], milliseconds(8));
  EXPECT_GE(took[2], milliseconds(16));
}

TEST_F(RetryTest, HonoursTheServersWait) {
  Backoff backoff(policy_);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(backoff.Wait(Passing(std::chrono::seconds(1)), stop_));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  EXPECT_FALSE(backoff.Wait(Passing(policy_.longest_retry_after + std::chrono::seconds(1)), stop_));
}

TEST_F(RetryTest, StopsAtOnce) {
  Backoff backoff(policy_);
  RequestFailure lasting = Passing();
  lasting.transient = false;
  EXPECT_FALSE(backoff.Wait(lasting, stop_));
  source_.request_stop();
  const Status status = backoff.Wait(Passing(std::chrono::seconds(60)), stop_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
}

TEST_F(RetryTest, AStopEndsAWaitAtOnce) {
  Backoff backoff(policy_);
  std::jthread stops([this] {
    std::this_thread::sleep_for(milliseconds(20));
    source_.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(backoff.Wait(Passing(std::chrono::seconds(60)), stop_).error().code, ErrorCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(RetryAfterTest, SecondsAndDates) {
  EXPECT_EQ(ParseRetryAfter("7"), std::chrono::seconds(7));
  EXPECT_EQ(ParseRetryAfter("Fri, 31 Dec 2066 23:59:59 GMT").has_value(), true);
  EXPECT_EQ(ParseRetryAfter("Fri, 31 Dec 1999 23:59:59 GMT"), std::nullopt);
  for (const char* text : {"", "0", "-3", "7 s", "soon", "99999999999999999999", "Fri, 31 Dec 2066"}) {
    EXPECT_EQ(ParseRetryAfter(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseRetryAfter("99999999999999"), std::chrono::seconds(1'000'000'000));
}

}  // namespace
}  // namespace isoveil
