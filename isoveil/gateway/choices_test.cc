#include "isoveil/gateway/choices.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

TEST(RunChoicesTest, EachRunsOnceAndAFewAtATime) {
  std::atomic<int> running = 0, most = 0;
  const auto results = RunChoices<int>(200, [&](int index) -> Result<int> {
    const int now = ++running;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    --running;
    return index * index;
  });
  ASSERT_EQ(results.size(), 200U);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(results[static_cast<size_t>(i)], i * i);
  EXPECT_LE(most, kMostChoicesAtATime);
  EXPECT_GT(most, 1);
}

TEST(RunChoicesTest, OneRunsInTheThreadOfItsCaller) {
  const auto here = std::this_thread::get_id();
  const auto results = RunChoices<bool>(1, [&](int) -> Result<bool> { return std::this_thread::get_id() == here; });
  EXPECT_TRUE(*results.front());
}

}  // namespace
}  // namespace isoveil
