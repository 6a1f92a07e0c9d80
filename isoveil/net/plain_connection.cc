// HTTP over cpp-httplib.
#include <fcntl.h>
#include <httplib.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <mutex>
#include <optional>

#include "isoveil/net/http.h"

namespace isoveil {
namespace {

constexpr bool kTls =
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
    true;
#else
    false;
#endif

// Writing to a socket that the peer has closed raises SIGPIPE, whose default is to end the process, and
// OpenSSL has no flag against it. A library leaves the process's handlers alone, so the signal is held
// back in this thread and dropped.
class HoldSigpipe {
 public:
  HoldSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~HoldSigpipe() {
    const timespec no_wait = {0, 0};
    if (!was_pending_) sigtimedwait(&pipe_, nullptr, &no_wait);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  HoldSigpipe(const HoldSigpipe&) = delete;
  HoldSigpipe& operator=(const HoldSigpipe&) = delete;

 private:
  sigset_t pipe_ = {};
  sigset_t before_ = {};
  bool was_pending_ = false;
};

const char* TransferProblem(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection: return "cannot connect";
    case httplib::Error::ConnectionTimeout: return "no connection within the time limit";
    case httplib::Error::Read: return "the connection broke, or was silent for too long, while reading the answer";
    case httplib::Error::Write: return "the connection broke while sending the request";
    case httplib::Error::ConnectionClosed: return "the server closed the connection";
    case httplib::Error::Timeout: return "no answer within the time limit";
    case httplib::Error::SSLConnection: return "TLS could not be agreed on";
    case httplib::Error::SSLLoadingCerts: return "the trusted certificates cannot be read";
    case httplib::Error::SSLServerVerification: return "the server's certificate is not trusted";
    case httplib::Error::SSLServerHostnameVerification: return "the server's certificate is for another name";
    default: return "the answer is not proper HTTP";
  }
}

ErrorCode TransferCode(httplib::Error error) {
  switch (error) {
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification:
    case httplib::Error::SSLServerHostnameVerification: return ErrorCode::kAuth;
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout:
    case httplib::Error::Read:
    case httplib::Error::Write:
    case httplib::Error::ConnectionClosed:
    case httplib::Error::Timeout:
    case httplib::Error::SSLConnection: return ErrorCode::kUnavailable;
    default: return ErrorCode::kFormat;
  }
}

const char* TransferHint(httplib::Error error) {
  switch (TransferCode(error)) {
    case ErrorCode::kAuth: return "give the file of the certificate authority, or use the server's right name";
    case ErrorCode::kUnavailable: return "is the server running, and is this its address?";
    default: return "is the URL that of an inference server?";
  }
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

class PlainConnection final : public HttpConnection {
 public:
  explicit PlainConnection(const HttpOptions& options) : options_(options) {}
  ~PlainConnection() override { Close(); }
  PlainConnection(const PlainConnection&) = delete;
  PlainConnection& operator=(const PlainConnection&) = delete;

  Status Send(const HttpRequest& request, const OnHead& on_head, const ChunkCallback& on_body,
              std::stop_token cancel) override {
    ISOVEIL_RETURN_IF_ERROR(CheckPlainReaches(request.url));
    const HoldSigpipe hold;
    Reach(request.url);
    Transfer transfer{on_head, on_body};
    httplib::Result result;
    {
      const std::stop_callback breaker(cancel, [this] { Break(); });
      result = client_->send(transfer.Request(request));
    }
    if (!transfer.status) return std::move(transfer.status);
    if (broken()) return Fail(ErrorCode::kCancelled, request.where, "the request was cancelled");
    if (result) return Ok();
    return Fail(TransferCode(result.error()), request.where, TransferProblem(result.error()),
                TransferHint(result.error()));
  }

  uint64_t n_opened() const override {
    const std::lock_guard lock(mutex_);
    return n_opened_;
  }
  bool stands() const override {
    const std::lock_guard lock(mutex_);
    if (socket_ < 0) return false;
    char one = 0;
    const ssize_t n = ::recv(socket_, &one, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
  }

 private:
  // One request, and what the callbacks say of its answer.
  struct Transfer {
    const OnHead& on_head;
    const ChunkCallback& on_body;
    Status status = Ok();

    httplib::Request Request(const HttpRequest& from) {
      httplib::Request request;
      request.method = from.method;
      request.path = from.url.path.empty() ? "/" : from.url.path;
      request.path += from.url.query;
      request.body = from.body;
      for (const auto& [name, value] : from.headers) request.set_header(name, value);
      request.response_handler = [this](const httplib::Response& response) {
        HttpHead head{.status = response.status, .headers = {}};
        for (const auto& [name, value] : response.headers) head.headers[Lower(name)] = value;
        // One of HTTP/1.0 ends with its answer.
        if (response.version == "HTTP/1.0") head.headers["connection"] = "close";
        status = on_head(head);
        return status.has_value();
      };
      request.content_receiver = [this](const char* data, size_t size, size_t, size_t) {
        status = on_body({data, size});
        return status.has_value();
      };
      return request;
    }
  };

  void Reach(const Url& url) {
    if (client_ && origin_.HasOriginOf(url)) return;
    origin_ = url;
    client_.emplace(url.Origin());
    client_->set_keep_alive(true);
    client_->set_follow_location(false);
    client_->set_decompress(false);
    client_->set_path_encode(false);  // they are as they are to be sent
    client_->set_tcp_nodelay(true);
    client_->set_payload_max_length(std::numeric_limits<size_t>::max());
    client_->set_connection_timeout(options_.connect_timeout);
    client_->set_read_timeout(options_.read_timeout);
    client_->set_write_timeout(options_.write_timeout);
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
    client_->enable_server_certificate_verification(true);
    if (!options_.ca_file.empty()) client_->set_ca_cert_path(options_.ca_file);
#endif
    client_->set_socket_options([this](socket_t socket) { Adopt(socket); });
    // The default writer, unless a stop came before there was a socket to break.
    client_->set_header_writer([this](httplib::Stream& stream, httplib::Headers& headers) -> ssize_t {
      return broken() ? -1 : httplib::detail::write_headers(stream, headers);
    });
  }

  // From any thread: whoever reads, writes or connects fails at once.
  void Break() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
  }
  bool broken() const {
    const std::lock_guard lock(mutex_);
    return broken_;
  }
  // A descriptor of our own for the same socket: httplib may close its own at any moment, and its number
  // may then name another file.
  void Adopt(socket_t socket) {
    Close();
    const std::lock_guard lock(mutex_);
    socket_ = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
    ++n_opened_;
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  const HttpOptions options_;
  mutable std::mutex mutex_;
  int socket_ = -1;
  uint64_t n_opened_ = 0;
  bool broken_ = false;
  Url origin_;
  std::optional<httplib::Client> client_;
};

}  // namespace

Status CheckPlainReaches(const Url& url) {
  if (!url.tls || kTls) return Ok();
  return Fail(ErrorCode::kUnsupported, url.WithoutQuery(), "https is not in this build",
              "install libssl-dev and build again, or reach the server through a tunnel (ssh -L)");
}

std::unique_ptr<HttpConnection> NewPlainConnection(const HttpOptions& options) {
  return std::make_unique<PlainConnection>(options);
}

}  // namespace isoveil
