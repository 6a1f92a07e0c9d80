#include "isoveil/gateway/http_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "isoveil/gateway/connection_threads.h"

namespace isoveil {
namespace {

using Clock = SocketWaits::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kBytesForASecond = 16 << 10;
constexpr seconds kWriteTime{30};  // of a client that takes nothing
constexpr milliseconds kDrainTime{100};
constexpr size_t kMostDrained = 1 << 20;

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK; }

// One request and its answer.
class RequestStream final : public httplib::Stream {
 public:
  RequestStream(socket_t socket, SocketWaits& waits, milliseconds time) : socket_(socket), waits_(waits), time_(time) {}

  bool is_readable() const override { return begin_ < end_; }
  bool wait_readable() const override { return is_readable() || waits_.Wait(socket_, POLLIN, begun_, Deadline()); }
  bool wait_writable() const override {
    return waits_.Wait(socket_, POLLOUT, Clock::now(), Clock::now() + kWriteTime) && is_peer_alive();
  }
  bool is_peer_alive() const override {
    char byte = '\0';
    const ssize_t n = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && (WouldBlock() || errno == EINTR));
  }

  ssize_t read(char* data, size_t size) override {
    if (!is_readable()) {
      const ssize_t n = Receive();
      if (n <= 0) return n;
    }
    const size_t n = std::min(size, end_ - begin_);
    std::memcpy(data, buffer_.data() + begin_, n);
    begin_ += n;
    return static_cast<ssize_t>(n);
  }
  const char* buffered_data(size_t& size) const override {
    size = end_ - begin_;
    return is_readable() ? buffer_.data() + begin_ : nullptr;
  }
  void consume_buffered(size_t size) override { begin_ += std::min(size, end_ - begin_); }

  ssize_t write(const char* data, size_t size) override {
    for (;;) {
      const ssize_t n = ::send(socket_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n >= 0) return n;
      if (errno != EINTR && !(WouldBlock() && wait_writable())) return -1;
    }
  }

  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_; }
  time_t duration() const override { return std::chrono::duration_cast<milliseconds>(Clock::now() - begun_).count(); }

 private:
  Clock::time_point Deadline() const { return begun_ + time_ + seconds(received_ / kBytesForASecond); }

  ssize_t Receive() {
    for (;;) {
      const ssize_t n = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (n >= 0) {
        begin_ = 0;
        end_ = static_cast<size_t>(n);
        received_ += end_;
        // Also where what comes drop by drop is always there in time.
        return Clock::now() < Deadline() ? n : -1;
      }
      if (errno != EINTR && !(WouldBlock() && waits_.Wait(socket_, POLLIN, begun_, Deadline()))) return -1;
    }
  }

  const socket_t socket_;
  SocketWaits& waits_;
  const milliseconds time_;
  const Clock::time_point begun_ = Clock::now();
  std::array<char, 4096> buffer_ = {};
  size_t begin_ = 0, end_ = 0;
  size_t received_ = 0;
};

// An answer is lost where a connection is closed while what the client sends has not been read.
void DrainAndClose(socket_t socket, SocketWaits& waits) {
  ::shutdown(socket, SHUT_WR);
  const auto begun = Clock::now();
  std::array<char, 4096> dropped = {};
  for (size_t total = 0; total < kMostDrained && waits.Wait(socket, POLLIN, begun, begun + kDrainTime);) {
    const ssize_t n = ::recv(socket, dropped.data(), dropped.size(), MSG_DONTWAIT);
    if (n <= 0) break;
    total += static_cast<size_t>(n);
  }
  ::close(socket);
}

}  // namespace

HttpServer::HttpServer(size_t most_connections, milliseconds request_time) : request_time_(request_time) {
  new_task_queue = [this, most_connections] {
    return new ConnectionThreads(most_connections, [this] { return waits_.EndOldest(); });
  };
}

void HttpServer::Stop() {
  stop();
  waits_.EndAll();
}

bool HttpServer::process_and_close_socket(socket_t socket) {
  const bool served = serve_guarded([&] {
    bool answered = true;
    for (size_t left = keep_alive_max_count_; left > 0 && answered && svr_sock_ != INVALID_SOCKET; --left) {
      const auto idle = Clock::now();
      if (!waits_.Wait(socket, POLLIN, idle, idle + seconds(keep_alive_timeout_sec_))) break;
      RequestStream stream(socket, waits_, request_time_);
      bool closed = false;
      answered = process_request(stream, "", 0, "", 0, left == 1, closed, nullptr) && !closed;
    }
    return answered;
  });
  DrainAndClose(socket, waits_);
  return served;
}

}  // namespace isoveil
