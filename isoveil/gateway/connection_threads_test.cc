#include "isoveil/gateway/connection_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace isoveil {
namespace {

TEST(ConnectionThreadsTest, ConnectionsThatArriveTogetherRunTogether) {
  constexpr int kConnections = 64;
  ConnectionThreads threads(kConnections);
  // Each waits for all the others: with one of them queued none would end.
  std::latch all(kConnections);
  std::atomic<int> ended = 0;
  for (int i = 0; i < kConnections; ++i) {
    ASSERT_TRUE(threads.enqueue([&] {
      all.arrive_and_wait();
      ++ended;
    }));
  }
  threads.shutdown();
  EXPECT_EQ(ended, kConnections);
}

TEST(ConnectionThreadsTest, MoreThanTheMostAreRefusedUntilOneEnds) {
  ConnectionThreads threads(2);
  std::latch end(1);
  std::atomic<int> ended = 0;
  const auto wait = [&] {
    end.wait();
    ++ended;
  };
  EXPECT_TRUE(threads.enqueue(wait));
  EXPECT_TRUE(threads.enqueue(wait));
  EXPECT_FALSE(threads.enqueue([] { FAIL(); }));
  end.count_down();
  while (!threads.enqueue([&] { ++ended; })) std::this_thread::yield();
  threads.shutdown();
  EXPECT_EQ(ended, 3);
}

TEST(ConnectionThreadsTest, ManyShortOnesLeaveNothing) {
  std::atomic<int> ended = 0;
  {
    ConnectionThreads threads(8);
    for (int i = 0; i < 2000; ++i) {
      while (!threads.enqueue([&] { ++ended; })) std::this_thread::yield();
    }
  }
  EXPECT_EQ(ended, 2000);
}

TEST(ConnectionThreadsTest, NothingIsTakenAfterTheShutdown) {
  ConnectionThreads threads(2);
  threads.shutdown();
  EXPECT_FALSE(threads.enqueue([] { FAIL(); }));
}

}  // namespace
}  // namespace isoveil
