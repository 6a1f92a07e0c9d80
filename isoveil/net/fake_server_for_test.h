// A server on a loopback port that answers as a test says, byte by byte: what httplib's own server cannot
// do, such as half an event, a lie in Content-Length, or silence.
//
//   FakeServer server([](FakeServer::Peer& peer) {
//     peer.Send(FakeServer::kEventStream);
//     peer.Send("data: {}\n\n");
//   });                                       // the connection is closed when the function returns
//   HttpClient::Create(server.url(), {});
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

class FakeServer {
 public:
  // One request on a connection.
  class Peer {
   public:
    Peer(int fd, std::string request) : request_(std::move(request)), fd_(fd) {}

    // The request as it came: line, headers, body.
    const std::string& request() const { return request_; }
    std::string body() const { return request_.substr(request_.find("\r\n\r\n") + 4); }
    bool Is(std::string_view line) const { return request_.starts_with(line); }

    void Send(std::string_view text) const { (void)!::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
    void SendJson(std::string_view json, int status = 200) const {
      Send(fmt::format("HTTP/1.1 {} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
                       json.size(), json));
    }
    // Closes the connection under the client's request.
    void Drop() const { ::shutdown(fd_, SHUT_RDWR); }
    // Waits until the client has closed the connection; false after a few seconds.
    bool WaitForClose() const {
      pollfd poll = {.fd = fd_, .events = POLLIN, .revents = 0};
      char byte = 0;
      return ::poll(&poll, 1, 10'000) == 1 && ::recv(fd_, &byte, 1, 0) <= 0;
    }

   private:
    std::string request_;
    int fd_;
  };
  using Script = std::function<void(Peer&)>;

  static constexpr std::string_view kEventStream =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

  // Runs `script` once a request, each connection on a thread of its own. With `keep_alive` the
  // connection takes further requests.
  explicit FakeServer(Script script, bool keep_alive = false)
      : script_(std::move(script)), keep_alive_(keep_alive), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    (void)!::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    (void)!::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    (void)!::listen(listener_, 128);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~FakeServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  int connections() const { return connections_; }

 private:
  void Accept() {
    for (int fd = -1; (fd = ::accept(listener_, nullptr, nullptr)) >= 0;) {
      ++connections_;
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { Serve(fd); });
    }
  }

  void Serve(int fd) {
    for (std::string request = Read(fd); !request.empty(); request = keep_alive_ ? Read(fd) : "") {
      Peer peer(fd, std::move(request));
      script_(peer);
    }
    const std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    ::close(fd);
  }

  // One request, by its Content-Length; empty when the client is gone.
  static std::string Read(int fd) {
    std::string text;
    size_t wanted = std::string::npos;
    while (text.size() < wanted) {
      char buffer[4096];
      const ssize_t count = ::recv(fd, buffer, sizeof(buffer), 0);
      if (count <= 0) return "";
      text.append(buffer, static_cast<size_t>(count));
      const size_t end = text.find("\r\n\r\n");
      if (end == std::string::npos || wanted != std::string::npos) continue;
      const size_t length = text.find("Content-Length: ");
      wanted = end + 4 + (length < end ? std::stoul(text.substr(length + 16)) : 0);
    }
    return text;
  }

  Script script_;
  bool keep_alive_;
  int listener_;
  uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread acceptor_;
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
};

}  // namespace isoveil
