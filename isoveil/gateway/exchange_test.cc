#include "isoveil/gateway/exchange.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

using std::chrono::milliseconds;
using Kind = ReplyItem::Kind;

ReplyItem FirstOf(Exchange& exchange) {
  for (int i = 0; i < 200; ++i) {
    ReplyItem item = exchange.First(milliseconds(50));
    if (item.kind != Kind::kNothingYet) return item;
  }
  return {};
}

bool Always(bool) { return true; }

TEST(ExchangeTest, AWholeAnswer) {
  Exchange exchange;
  exchange.Start([](ReplyWriter& reply, std::stop_token) { reply.SendJson({{"a", 1}}); });
  const ReplyItem item = FirstOf(exchange);
  EXPECT_EQ(item.kind, Kind::kWhole);
  EXPECT_EQ(item.status, 200);
  EXPECT_EQ(item.text, R"({"a":1})");
}

TEST(ExchangeTest, EventsInOrder) {
  Exchange exchange;
  exchange.Start([](ReplyWriter& reply, std::stop_token) {
    for (int i = 0; i < 1000; ++i) reply.JsonEvent(i, i % 2 ? "odd" : "");
  });
  ASSERT_EQ(FirstOf(exchange).kind, Kind::kEvent);
  std::vector<std::string> written;
  EXPECT_TRUE(exchange.Stream([&](std::string_view bytes) { return written.emplace_back(bytes), true; },
                              milliseconds(50), Always));
  ASSERT_EQ(written.size(), 1000U);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(written[static_cast<size_t>(i)], fmt::format("{}data: {}\n\n", i % 2 ? "event: odd\n" : "", i));
  }
}

TEST(ExchangeTest, EventsOfSeveralThreadsAreWrittenOneAtATime) {
  Exchange exchange;
  exchange.Start([](ReplyWriter& reply, std::stop_token) {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 250; ++i) reply.JsonEvent(i);
      });
    }
  });
  ASSERT_EQ(FirstOf(exchange).kind, Kind::kEvent);
  std::atomic<int> inside = 0;
  int written = 0;
  EXPECT_TRUE(exchange.Stream(
      [&](std::string_view) {
        EXPECT_EQ(inside++, 0);
        ++written;
        --inside;
        return true;
      },
      milliseconds(50), Always));
  EXPECT_EQ(written, 1000);
}

TEST(ExchangeTest, AnErrorIsADocumentBeforeTheStreamAndAnEventWithinIt) {
  const ApiError error{.status = 503, .message = "the server is away", .retry_after_seconds = 3};
  Exchange before;
  before.Start([&](ReplyWriter& reply, std::stop_token) { reply.Fail(error); });
  const ReplyItem whole = FirstOf(before);
  EXPECT_EQ(whole.kind, Kind::kWhole);
  EXPECT_EQ(whole.status, 503);
  EXPECT_EQ(whole.retry_after_seconds, 3);
  Exchange within;
  within.Start([&](ReplyWriter& reply, std::stop_token) {
    reply.JsonEvent(1);
    reply.Fail(error);
  });
  EXPECT_EQ(FirstOf(within).kind, Kind::kEvent);
  std::string text;
  EXPECT_TRUE(within.Stream([&](std::string_view bytes) { return text += bytes, true; }, milliseconds(50), Always));
  EXPECT_NE(text.find("the server is away"), std::string::npos);
}

TEST(ExchangeTest, ASlowReaderHoldsUpTheWriter) {
  Exchange exchange;
  std::atomic<int> sent = 0;
  exchange.Start([&](ReplyWriter& reply, std::stop_token) {
    while (reply.JsonEvent(1) && ++sent < 100) {
    }
  });
  ASSERT_EQ(FirstOf(exchange).kind, Kind::kEvent);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_LE(sent, 1);  // nothing is kept for one who does not read
  int received = 0;
  EXPECT_TRUE(exchange.Stream(
      [&](std::string_view) {
        EXPECT_LE(sent, received + 1);
        std::this_thread::sleep_for(milliseconds(1));
        ++received;
        return true;
      },
      milliseconds(5), Always));
  EXPECT_EQ(received, 100);
}

// A stream that goes on until somebody says no.
struct Endless {
  Endless() {
    exchange.Start([this](ReplyWriter& reply, std::stop_token cancel) {
      while (reply.JsonEvent(1)) std::this_thread::sleep_for(milliseconds(1));
      told = cancel.stop_requested();
    });
  }
  std::atomic<bool> told = false;
  Exchange exchange;
};

TEST(ExchangeTest, AReaderThatLeavesEndsTheWork) {
  Endless before_it_reads;
  EXPECT_EQ(FirstOf(before_it_reads.exchange).kind, Kind::kEvent);
  before_it_reads.exchange.Cancel();

  Endless at_a_write;
  EXPECT_EQ(FirstOf(at_a_write.exchange).kind, Kind::kEvent);
  int n = 0;
  EXPECT_FALSE(at_a_write.exchange.Stream([&](std::string_view) { return ++n < 5; }, milliseconds(60'000), Always));
  EXPECT_EQ(n, 5);

  Endless between_writes;
  EXPECT_EQ(FirstOf(between_writes.exchange).kind, Kind::kEvent);
  EXPECT_FALSE(between_writes.exchange.Stream([](std::string_view) { return true; }, milliseconds(20),
                                              [](bool) { return false; }));
  between_writes.exchange.Cancel();

  for (Endless* each : {&before_it_reads, &at_a_write, &between_writes}) {
    for (int i = 0; i < 200 && !each->told; ++i) std::this_thread::sleep_for(milliseconds(10));
    EXPECT_TRUE(each->told);
  }
}

TEST(ExchangeTest, SilenceIsTold) {
  Exchange exchange;
  std::atomic<bool> may_end = false;
  exchange.Start([&](ReplyWriter& reply, std::stop_token) {
    reply.JsonEvent(1);
    reply.JsonEvent(2);
    while (!may_end) std::this_thread::sleep_for(milliseconds(1));
  });
  ASSERT_EQ(FirstOf(exchange).kind, Kind::kEvent);
  std::vector<bool> said;
  EXPECT_TRUE(exchange.Stream([](std::string_view) { return true; }, milliseconds(100),
                              [&](bool is_silent) {
                                said.push_back(is_silent);
                                if (said.size() == 3) may_end = true;
                                return true;
                              }));
  ASSERT_GE(said.size(), 3U);
  EXPECT_FALSE(said[0]);
  EXPECT_TRUE(said[1] && said[2]);
}

TEST(ExchangeTest, WorkThatSaysNothingStillEnds) {
  Exchange exchange;
  exchange.Start([](ReplyWriter&, std::stop_token) {});
  EXPECT_EQ(FirstOf(exchange).kind, Kind::kEnd);
}

}  // namespace
}  // namespace isoveil
