#include "isoveil/net/http_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "isoveil/net/fake_server_for_test.h"

namespace isoveil {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPrompt = 2s;  // far below every time limit, far above a busy machine's delays

HttpClient Client(const std::string& url, HttpOptions options = {}) {
  return *HttpClient::Create(url, std::move(options));
}

TEST(HttpClientTest, GetsAndPosts) {
  const FakeServer server([](FakeServer::Peer& peer) {
    peer.SendJson(peer.Is("GET /p/models ") ? "models" : peer.Is("POST /p/x ") ? peer.body() : "other");
  });
  const HttpClient client = Client(server.url() + "/p");
  EXPECT_EQ(*client.Get("/models"), "models");
  EXPECT_EQ(*client.Post("/x", "{\"a\":1}"), "{\"a\":1}");
}

TEST(HttpClientTest, SendsTheKeyAndNeverTellsIt) {
  std::string request;
  const FakeServer server([&](FakeServer::Peer& peer) {
    request = peer.request();
    peer.SendJson("{\"error\":{\"message\":\"Invalid API Key\"}}", 401);
  });
  const auto body = Client(server.url(), {.bearer_key = "s3cret"}).Get("/x");
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, ErrorCode::kAuth);
  EXPECT_NE(request.find("Authorization: Bearer s3cret\r\n"), std::string::npos);
  EXPECT_NE(body.error().problem.find("'Invalid API Key'"), std::string::npos);
  EXPECT_EQ(body.error().Message().find("s3cret"), std::string::npos);
}

TEST(HttpClientTest, GivesEveryStatusItsErrorClass) {
  int status = 0;
  const FakeServer server([&](FakeServer::Peer& peer) { peer.SendJson("{}", status); });
  const HttpClient client = Client(server.url());
  const std::vector<std::pair<int, ErrorCode>> cases = {
      {400, ErrorCode::kInvalidArgument}, {401, ErrorCode::kAuth},        {403, ErrorCode::kAuth},
      {404, ErrorCode::kNotFound},        {429, ErrorCode::kUnavailable}, {500, ErrorCode::kUnavailable},
      {501, ErrorCode::kUnsupported},     {503, ErrorCode::kUnavailable}, {302, ErrorCode::kFormat}};
  for (const auto& [code, expected] : cases) {
    status = code;
    EXPECT_EQ(client.Get("/").error().code, expected) << code;
  }
}

TEST(HttpClientTest, AnErrorBodyIsQuotedAndCut) {
  EXPECT_EQ(ErrorBodyText(R"({"error":{"message":"too long","code":400}})"), "'too long'");
  EXPECT_EQ(ErrorBodyText(R"({"detail":"nothing"})"), "'nothing'");
  EXPECT_EQ(ErrorBodyText(R"({"error":"plain"})"), "'plain'");
  EXPECT_EQ(ErrorBodyText("\x1b[31mred"), R"('\x1b[31mred')");
  EXPECT_LT(ErrorBodyText(std::string(100'000, 'x')).size(), 200U);
  // What is no JSON that is read is text.
  const std::string deep = R"({"error":"plain","more":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_TRUE(ErrorBodyText(deep).starts_with(R"('{"error":"plain","more":[[[)")) << ErrorBodyText(deep);
}

TEST(HttpClientTest, StreamsPieceByPiece) {
  std::promise<void> first_piece_seen;
  const FakeServer server([&](FakeServer::Peer& peer) {
    peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    first_piece_seen.get_future().wait_for(10s);
    peer.Send("6\r\nsecond\r\n0\r\n\r\n");
  });
  std::vector<std::string> pieces;
  const Status status = Client(server.url()).PostStream("/", "{}", [&](std::string_view piece) -> Status {
    if (pieces.empty()) first_piece_seen.set_value();
    pieces.emplace_back(piece);
    return Ok();
  });
  EXPECT_TRUE(status);
  EXPECT_EQ(pieces, (std::vector<std::string>{"first", "second"}));
}

TEST(HttpClientTest, TheCallbacksErrorClosesTheConnection) {
  std::promise<bool> closed;
  const FakeServer server([&](FakeServer::Peer& peer) {
    peer.Send(FakeServer::kEventStream);
    peer.Send("x");
    closed.set_value(peer.WaitForClose());
  });
  const Status status = Client(server.url()).PostStream("/", "{}", [](std::string_view) -> Status {
    return Fail(ErrorCode::kMismatch, "here", "enough");
  });
  EXPECT_EQ(status.error().where, "here");
  EXPECT_TRUE(closed.get_future().get());
}

TEST(HttpClientTest, AStopBreaksASilentConnectionAtOnce) {
  std::promise<void> reached;
  std::promise<bool> closed;
  const FakeServer server([&](FakeServer::Peer& peer) {
    reached.set_value();
    closed.set_value(peer.WaitForClose());
  });
  const HttpClient client = Client(server.url());
  std::stop_source stop;
  auto answer = std::async(std::launch::async, [&] { return client.Get("/slow", stop.get_token()); });
  reached.get_future().wait();
  const auto start = Clock::now();
  stop.request_stop();
  EXPECT_EQ(answer.get().error().code, ErrorCode::kCancelled);
  EXPECT_LT(Clock::now() - start, kPrompt);
  EXPECT_TRUE(closed.get_future().get());
}

// A listener that never accepts: once its queue is full, connecting takes for ever.
class FullListener {
 public:
  FullListener() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    (void)!::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    (void)!::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    (void)!::listen(listener_, 0);
    port_ = ntohs(address.sin_port);
    for (int& fd : fillers_) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      (void)!::connect(fd, reinterpret_cast<sockaddr*>(&address), size);
    }
  }
  ~FullListener() {
    for (const int fd : fillers_) ::close(fd);
    ::close(listener_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

 private:
  int listener_;
  uint16_t port_ = 0;
  int fillers_[8] = {};
};

TEST(HttpClientTest, AStopBreaksAConnectionThatIsBeingMade) {
  const FullListener listener;
  const HttpClient client = Client(listener.url(), {.connect_timeout = 60s});
  std::stop_source stop;
  auto answer = std::async(std::launch::async, [&] { return client.Get("/", stop.get_token()); });
  EXPECT_EQ(answer.wait_for(200ms), std::future_status::timeout);
  stop.request_stop();
  ASSERT_EQ(answer.wait_for(kPrompt), std::future_status::ready);
  EXPECT_EQ(answer.get().error().code, ErrorCode::kCancelled);
}

TEST(HttpClientTest, ConnectingHasALimit) {
  const FullListener listener;
  const auto answer = Client(listener.url(), {.connect_timeout = 100ms}).Get("/");
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
}

TEST(HttpClientTest, AStopBeforeTheCallSendsNothing) {
  const FakeServer server([](FakeServer::Peer& peer) { peer.SendJson("{}"); });
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Client(server.url()).Get("/", stop.get_token()).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClientTest, SilenceHasALimit) {
  const FakeServer server([](FakeServer::Peer& peer) { peer.WaitForClose(); });
  const auto answer = Client(server.url(), {.read_timeout = 100ms}).Get("/");
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(answer.error().hint.empty());
}

TEST(HttpClientTest, NobodyThereIsUnavailable) {
  std::string url;
  {
    url = FakeServer([](FakeServer::Peer&) {}).url();
  }
  const auto answer = Client(url).Get("/x");
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(answer.error().where.find(url), std::string::npos);
}

TEST(HttpClientTest, AnAnswerMayNotBeLargerThanItsLimit) {
  const FakeServer server([](FakeServer::Peer& peer) { peer.SendJson(std::string(2000, 'x')); });
  EXPECT_EQ(Client(server.url(), {.max_response_bytes = 1999}).Get("/").error().code, ErrorCode::kFormat);
  EXPECT_EQ(Client(server.url(), {.max_response_bytes = 2000}).Get("/")->size(), 2000U);
}

TEST(HttpClientTest, ACutAnswerIsAnError) {
  const FakeServer server(
      [](FakeServer::Peer& peer) { peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"); });
  EXPECT_EQ(Client(server.url()).Get("/").error().code, ErrorCode::kUnavailable);
}

TEST(HttpClientTest, WhatIsNotHttpIsAnError) {
  for (const std::string_view text : {"SSH-2.0-x\r\n", "", "HTTP/1.1 abc\r\n\r\n"}) {
    const FakeServer server([&](FakeServer::Peer& peer) { peer.Send(text); });
    EXPECT_FALSE(Client(server.url()).Get("/")) << text;
  }
}

TEST(HttpClientTest, RedirectsAreNotFollowed) {
  const FakeServer other([](FakeServer::Peer& peer) { peer.SendJson("{}"); });
  const FakeServer server([&](FakeServer::Peer& peer) {
    peer.Send(fmt::format("HTTP/1.1 307 x\r\nLocation: {}/\r\nContent-Length: 0\r\n\r\n", other.url()));
  });
  EXPECT_EQ(Client(server.url()).Get("/").error().code, ErrorCode::kFormat);
  EXPECT_EQ(other.connections(), 0);
}

TEST(HttpClientTest, ConnectionsAreUsedAgain) {
  const FakeServer server([](FakeServer::Peer& peer) { peer.SendJson("{}"); }, /*keep_alive=*/true);
  const HttpClient client = Client(server.url());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(client.Get("/"));
  EXPECT_EQ(server.connections(), 1);
}

// The server closes the idle connection when the next request arrives, as at the end of its own patience.
TEST(HttpClientTest, AConnectionThatTheServerDroppedIsMadeAgain) {
  std::atomic<int> requests = 0;
  const FakeServer server(
      [&](FakeServer::Peer& peer) {
        if (++requests == 2) {
          peer.Drop();
        } else {
          peer.SendJson("{}");
        }
      },
      /*keep_alive=*/true);
  const HttpClient client = Client(server.url());
  EXPECT_TRUE(client.Get("/"));
  EXPECT_TRUE(client.Get("/"));
  EXPECT_EQ(requests, 3);
}

TEST(HttpClientTest, ANewConnectionThatBreaksIsNotTriedAgain) {
  std::atomic<int> requests = 0;
  const FakeServer server([&](FakeServer::Peer&) { ++requests; });
  EXPECT_EQ(Client(server.url()).Get("/").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(requests, 1);
}

TEST(HttpClientTest, ManyCallsRunAtATime) {
  constexpr int kCalls = 20;
  std::atomic<int> inside = 0;
  const FakeServer server([&](FakeServer::Peer& peer) {
    ++inside;
    for (int i = 0; i < 1000 && inside < kCalls; ++i) std::this_thread::sleep_for(10ms);
    peer.SendJson(inside == kCalls ? "together" : "alone");
  });
  const HttpClient client = Client(server.url());
  std::vector<std::future<Result<std::string>>> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(std::async(std::launch::async, [&] { return client.Get("/"); }));
  }
  for (auto& call : calls) EXPECT_EQ(*call.get(), "together");
}

}  // namespace
}  // namespace isoveil
