// Both libraries under the one interface.
#include <gtest/gtest.h>

#include <future>

#include "isoveil/net/fake_server_for_test.h"
#include "isoveil/net/http.h"

namespace isoveil {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPrompt = 2s;  // far below every time limit, far above a busy machine's delays

struct Library {
  const char* name;
  std::unique_ptr<HttpConnection> (*open)(const HttpOptions& options);
};

class HttpConnectionTest : public testing::TestWithParam<Library> {
 protected:
  struct Got {
    Status status = Ok();
    HttpAnswer answer;
    std::string body;
  };
  Got Ask(const FakeServer& server, HttpRequest request = {}, std::stop_token cancel = {}) {
    request.url = *Url::Parse(server.url() + "/p?q=%20", "URL");
    request.where = "here";
    Got got;
    const auto keep = [&](std::string_view bytes) {
      got.body += bytes;
      return Ok();
    };
    got.status = Exchange(*connection_, request, {}, keep, std::move(cancel), got.answer);
    return got;
  }
  void Open(const HttpOptions& options) { connection_ = GetParam().open(options); }

  std::unique_ptr<HttpConnection> connection_ = GetParam().open({});
};

TEST_P(HttpConnectionTest, SendsWhatItIsGivenAndNothingThatAnswersOtherwise) {
  std::string sent;
  const FakeServer server([&](FakeServer::Peer& peer) {
    sent = peer.request();
    peer.Send(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 206 x\r\nX-NAME:  some value\r\nContent-Length: "
        "2\r\n\r\nok");
  });
  const std::string body(100'000, 'x');
  const Got got = Ask(server, {.method = "POST", .headers = {{"X-One", "1"}, {"Range", "bytes=5-"}}, .body = body});
  ASSERT_TRUE(got.status) << got.status.error().Message();
  EXPECT_EQ(got.body, "ok");
  EXPECT_EQ(got.answer.head.status, 206);
  EXPECT_EQ(HeaderOf(got.answer.head.headers, "x-name"), "some value");
  EXPECT_TRUE(sent.starts_with("POST /p?q=%20 HTTP/1.1\r\n")) << sent.substr(0, 100);
  for (const char* header : {"\r\nX-One: 1\r\n", "\r\nRange: bytes=5-\r\n", "\r\nContent-Length: 100000\r\n"}) {
    EXPECT_NE(sent.find(header), std::string::npos) << header;
  }
  EXPECT_EQ(sent.find("Expect:"), std::string::npos);
  EXPECT_EQ(sent.find("gzip"), std::string::npos);
  EXPECT_TRUE(sent.ends_with("\r\n\r\n" + body));
}

TEST_P(HttpConnectionTest, WhatIsNoSuccessIsKeptApart) {
  const FakeServer server(
      [&](FakeServer::Peer& peer) { peer.Send("HTTP/1.1 302 x\r\nLocation: /x\r\nContent-Length: 4\r\n\r\ngone"); });
  const Got got = Ask(server);
  ASSERT_TRUE(got.status);
  EXPECT_FALSE(got.answer.ok());
  EXPECT_EQ(got.answer.head.status, 302);
  EXPECT_EQ(HeaderOf(got.answer.head.headers, "location"), "/x");
  EXPECT_EQ(got.answer.error_body, "gone");
  EXPECT_EQ(got.body, "");
}

TEST_P(HttpConnectionTest, AnErrorBodyHasALimit) {
  const FakeServer server([](FakeServer::Peer& peer) { peer.SendJson(std::string(1 << 20, 'x'), 500); });
  EXPECT_EQ(Ask(server).answer.error_body.size(), 64U << 10);
}

TEST_P(HttpConnectionTest, TheSameConnectionStandsUntilTheServerClosesIt) {
  EXPECT_FALSE(connection_->stands());
  std::promise<void> close;
  std::atomic<int> n = 0;
  const FakeServer server(
      [&](FakeServer::Peer& peer) {
        peer.SendJson("{}");
        if (++n != 3) return;
        close.get_future().wait();
        peer.Drop();
      },
      /*keep_alive=*/true);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Ask(server).status);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(connection_->n_opened(), 1U);
  EXPECT_TRUE(connection_->stands());
  close.set_value();
  for (int i = 0; i < 1000 && connection_->stands(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_FALSE(connection_->stands());
  ASSERT_TRUE(Ask(server).status) << "it is opened again";
  EXPECT_EQ(connection_->n_opened(), 2U);
  EXPECT_TRUE(connection_->stands());
}

TEST_P(HttpConnectionTest, AStopBreaksASilentConnectionAtOnce) {
  std::promise<void> reached;
  std::promise<bool> closed;
  const FakeServer server([&](FakeServer::Peer& peer) {
    peer.Send("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    reached.set_value();
    closed.set_value(peer.WaitForClose());
  });
  std::stop_source stop;
  auto got = std::async(std::launch::async, [&] { return Ask(server, {}, stop.get_token()); });
  reached.get_future().wait();
  std::this_thread::sleep_for(400ms);  // until the client waits, and no timer of a library wakes it
  const auto start = Clock::now();
  stop.request_stop();
  EXPECT_EQ(got.get().status.error().code, ErrorCode::kCancelled);
  EXPECT_LT(Clock::now() - start, kPrompt);
  EXPECT_TRUE(closed.get_future().get());
}

TEST_P(HttpConnectionTest, SilenceHasALimit) {
  Open({.read_timeout = 100ms});
  const FakeServer server([](FakeServer::Peer& peer) {
    peer.Send("HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\na");
    peer.WaitForClose();
  });
  const Got got = Ask(server);
  ASSERT_FALSE(got.status);
  EXPECT_EQ(got.status.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(got.status.error().where, "here");
}

TEST_P(HttpConnectionTest, ACallbacksErrorEndsTheTransferAndIsReturned) {
  std::promise<bool> closed;
  const FakeServer server([&](FakeServer::Peer& peer) {
    peer.Send(FakeServer::kEventStream);
    peer.Send("x");
    closed.set_value(peer.WaitForClose());
  });
  HttpAnswer answer;
  const Status status = Exchange(
      *connection_, {.url = *Url::Parse(server.url(), "URL"), .where = "here"}, {},
      [](std::string_view) -> Status { return Fail(ErrorCode::kNoSpace, "disk", "is full"); }, {}, answer);
  EXPECT_EQ(status.error().where, "disk");
  connection_.reset();
  EXPECT_TRUE(closed.get_future().get());
}

TEST_P(HttpConnectionTest, WhatBreaksIsAnError) {
  for (const std::string_view text : {"", "SSH-2.0-x\r\n", "HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\nhalf",
                                      "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    Open({});
    const FakeServer server([&](FakeServer::Peer& peer) { peer.Send(text); });
    EXPECT_FALSE(Ask(server).status) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Net, HttpConnectionTest,
                         testing::Values(Library{"plain", &NewPlainConnection}, Library{"curl", &NewCurlConnection}),
                         [](const auto& library) { return library.param.name; });

}  // namespace
}  // namespace isoveil
