#include "isoveil/gateway/exchange.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

using std::chrono::milliseconds;
using Kind = ReplyItem::Kind;

ReplyItem NextOf(Exchange& exchange) {
  for (int i = 0; i < 200; ++i) {
    ReplyItem item = exchange.Next(milliseconds(50));
    if (item.kind != Kind::kNothingYet) return item;
  }
  return {};
}

TEST(ExchangeTest, AWholeAnswerThenTheEnd) {
  Exchange exchange;
  exchange.Start([](ReplyWriter& reply, std::stop_token) { reply.SendJson({{"a", 1}}); });
  const ReplyItem item = NextOf(exchange);
  EXPECT_EQ(item.kind, Kind::kWhole);
  EXPECT_EQ(item.status, 200);
  EXPECT_EQ(item.text, R"({"a":1})");
  EXPECT_EQ(NextOf(exchange).kind, Kind::kEnd);
}

TEST(ExchangeTest, EventsInOrder) {
  Exchange exchange;
  exchange.Start([](ReplyWriter& reply, std::stop_token) {
    for (int i = 0; i < 1000; ++i) reply.JsonEvent(i, i % 2 ? "odd" : "");
  });
  for (int i = 0; i < 1000; ++i) {
    const ReplyItem item = NextOf(exchange);
    ASSERT_EQ(item.kind, Kind::kEvent);
    ASSERT_EQ(item.text, fmt::format("{}data: {}\n\n", i % 2 ? "event: odd\n" : "", i));
  }
  EXPECT_EQ(NextOf(exchange).kind, Kind::kEnd);
}

TEST(ExchangeTest, AnErrorIsADocumentBeforeTheStreamAndAnEventWithinIt) {
  const ApiError error{.status = 503, .message = "the server is away", .retry_after_seconds = 3};
  Exchange before;
  before.Start([&](ReplyWriter& reply, std::stop_token) { reply.Fail(error); });
  const ReplyItem whole = NextOf(before);
  EXPECT_EQ(whole.kind, Kind::kWhole);
  EXPECT_EQ(whole.status, 503);
  EXPECT_EQ(whole.retry_after_seconds, 3);
  Exchange within;
  within.Start([&](ReplyWriter& reply, std::stop_token) {
    reply.JsonEvent(1);
    reply.Fail(error);
  });
  EXPECT_EQ(NextOf(within).kind, Kind::kEvent);
  const ReplyItem event = NextOf(within);
  EXPECT_EQ(event.kind, Kind::kEvent);
  EXPECT_NE(event.text.find("the server is away"), std::string::npos);
}

TEST(ExchangeTest, ASlowReaderHoldsUpTheWriter) {
  Exchange exchange;
  std::atomic<size_t> written = 0;
  exchange.Start([&](ReplyWriter& reply, std::stop_token) {
    while (reply.JsonEvent(1) && ++written < 10 * Exchange::kMaxQueued) {
    }
  });
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_LE(written, Exchange::kMaxQueued + 1);
  for (size_t i = 0; i < 10 * Exchange::kMaxQueued; ++i) ASSERT_EQ(NextOf(exchange).kind, Kind::kEvent);
  EXPECT_EQ(NextOf(exchange).kind, Kind::kEnd);
}

TEST(ExchangeTest, AReaderThatLeavesEndsTheWork) {
  std::atomic<bool> told = false;
  std::atomic<bool> refused = false;
  {
    Exchange exchange;
    exchange.Start([&](ReplyWriter& reply, std::stop_token cancel) {
      while (reply.JsonEvent(1)) {
      }
      refused = true;
      told = cancel.stop_requested();
    });
    EXPECT_EQ(NextOf(exchange).kind, Kind::kEvent);
  }
  EXPECT_TRUE(refused);
  EXPECT_TRUE(told);
}

TEST(ExchangeTest, WorkThatSaysNothingStillEnds) {
  Exchange exchange;
  exchange.Start([](ReplyWriter&, std::stop_token) {});
  EXPECT_EQ(NextOf(exchange).kind, Kind::kEnd);
}

}  // namespace
}  // namespace isoveil
