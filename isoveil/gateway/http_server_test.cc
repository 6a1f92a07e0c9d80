#include "isoveil/gateway/http_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace isoveil {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A client that sends no more than it is told to.
class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port)), .sin_addr = {}, .sin_zero = {}};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool Send(std::string_view text) { return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) > 0; }
  // What comes until the server closes, or until `end` was seen.
  std::string Receive(std::string_view end = "") {
    std::string all;
    char piece[4096];
    while (end.empty() || all.find(end) == std::string::npos) {
      const ssize_t n = ::recv(socket_, piece, sizeof piece, 0);
      if (n <= 0) break;
      all.append(piece, static_cast<size_t>(n));
    }
    return all;
  }

 private:
  int socket_;
};

class HttpServerTest : public testing::Test {
 protected:
  explicit HttpServerTest(size_t most = 8, milliseconds time = seconds(10)) : server_(most, time) {
    server_.Get("/a", [](const httplib::Request&, httplib::Response& r) { r.set_content("answer-a", "text/plain"); });
    server_.Post("/b", [](const httplib::Request& q, httplib::Response& r) {
      r.set_content(SizeOf(q.body.size()), "text/plain");
    });
    server_.set_keep_alive_max_count(100);
    port_ = server_.bind_to_any_port("127.0.0.1");
    listener_ = std::thread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
  }
  ~HttpServerTest() override { End(); }
  void End() {
    server_.Stop();
    if (listener_.joinable()) listener_.join();
  }
  static std::string SizeOf(size_t n) { return "bytes=" + std::to_string(n); }
  std::string Ask() {
    Client client(port_);
    client.Send("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.Receive();
  }

  HttpServer server_;
  int port_ = 0;
  std::thread listener_;
};

class HasteTest : public HttpServerTest {
 protected:
  HasteTest() : HttpServerTest(8, milliseconds(400)) {}
};

class NoTimeTest : public HttpServerTest {
 protected:
  NoTimeTest() : HttpServerTest(8, milliseconds(0)) {}
};

TEST_F(HttpServerTest, AConnectionIsKeptAndRequestsMayComeInPieces) {
  Client client(port_);
  for (int i = 0; i < 3; ++i) {
    for (const char* piece : {"GE", "T /a HTTP/1.1\r", "\nHost: x\r\n", "\r\n"}) {
      client.Send(piece);
      std::this_thread::sleep_for(milliseconds(5));
    }
    EXPECT_NE(client.Receive("answer-a").find("200 OK"), std::string::npos);
  }
  const std::string body(3 << 20, 'x');
  client.Send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  std::string_view rest = body;
  while (!rest.empty()) {
    ASSERT_TRUE(client.Send(rest.substr(0, 50'000)));
    rest.remove_prefix(std::min<size_t>(rest.size(), 50'000));
  }
  EXPECT_NE(client.Receive("bytes=3145728").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, ThoseThatSendForLongestMakeRoom) {
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<Client>(port_));
    slow.back()->Send("GET /a HTT");
    std::this_thread::sleep_for(milliseconds(10));
  }
  for (int i = 0; i < 5; ++i) EXPECT_NE(Ask().find("answer-a"), std::string::npos) << i;
  EXPECT_EQ(slow.front()->Receive(), "");
  // The youngest may go on: polite ones were done by then, one after the other.
  slow.back()->Send("P/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(slow.back()->Receive("answer-a").find("200 OK"), std::string::npos);
}

TEST_F(HasteTest, ARequestThatComesDropByDropIsCut) {
  Client client(port_);
  const auto begun = Clock::now();
  const std::string_view head = "GET /a HTTP/1.1\r\nX: ";
  size_t at = 0;
  while (Clock::now() - begun < seconds(8) && client.Send(at < head.size() ? head.substr(at++, 1) : "x")) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_LT(Clock::now() - begun, seconds(4));
}

TEST_F(HasteTest, WhatHasComeGivesTimeForTheRest) {
  Client client(port_);
  client.Send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
  const std::string most(1 << 20, 'x');
  for (std::string_view rest = most; !rest.empty(); rest.remove_prefix(1 << 14))
    ASSERT_TRUE(client.Send(rest.substr(0, 1 << 14)));
  std::this_thread::sleep_for(milliseconds(1200));
  client.Send("x");
  EXPECT_NE(client.Receive("bytes=1048577").find("200 OK"), std::string::npos);
}

// As if each byte came right before the server looked for it.
TEST_F(NoTimeTest, ARequestThatIsAlwaysThereIsCutToo) { EXPECT_EQ(Ask(), ""); }

TEST_F(HttpServerTest, StopEndsThoseThatSendAndThoseThatTakeNothing) {
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(std::make_unique<Client>(port_));
    slow.back()->Send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
  }
  std::this_thread::sleep_for(milliseconds(100));
  const auto begun = Clock::now();
  End();
  EXPECT_LT(Clock::now() - begun, seconds(2));
}

}  // namespace
}  // namespace isoveil
