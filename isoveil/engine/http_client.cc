#include "isoveil/engine/http_client.h"

#include <fcntl.h>
#include <httplib.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

constexpr size_t kMaxErrorBytes = 64 << 10;
constexpr size_t kMaxIdleConnections = 64;

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
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

// One connection that another thread can break.
class Connection {
 public:
  Connection(const Url& url, const HttpOptions& options)
      : client_(fmt::format("{}://{}:{}", url.tls ? "https" : "http",
                            url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]", url.port)) {
    client_.set_keep_alive(true);
    client_.set_follow_location(false);
    client_.set_decompress(false);
    client_.set_tcp_nodelay(true);
    client_.set_payload_max_length(std::numeric_limits<size_t>::max());
    client_.set_connection_timeout(options.connect_timeout);
    client_.set_read_timeout(options.read_timeout);
    client_.set_write_timeout(options.write_timeout);
    if (!options.bearer_key.empty()) client_.set_bearer_token_auth(options.bearer_key);
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
    client_.enable_server_certificate_verification(true);
    if (!options.ca_file.empty()) client_.set_ca_cert_path(options.ca_file);
#endif
    client_.set_socket_options([this](socket_t socket) { Adopt(socket); });
    // Without the key in it: the default writer, unless a stop came before there was a socket to break.
    client_.set_header_writer([this](httplib::Stream& stream, httplib::Headers& headers) -> ssize_t {
      return broken() ? -1 : httplib::detail::write_headers(stream, headers);
    });
  }
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  httplib::Client& client() { return client_; }
  bool used() const { return used_; }
  void set_used() { used_ = true; }

  // From any thread: whoever reads, writes or connects fails at once.
  void Break() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
  }
  bool broken() {
    const std::lock_guard lock(mutex_);
    return broken_;
  }
  uint64_t n_opened() const {
    const std::lock_guard lock(mutex_);
    return n_opened_;
  }
  bool stands() const {
    const std::lock_guard lock(mutex_);
    if (socket_ < 0) return false;
    char one = 0;
    const ssize_t n = ::recv(socket_, &one, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
  }

 private:
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

  mutable std::mutex mutex_;
  int socket_ = -1;
  uint64_t n_opened_ = 0;
  bool broken_ = false;
  bool used_ = false;
  httplib::Client client_;
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

const char* StatusHint(int status) {
  switch (status) {
    case 401:
    case 403: return "give the server's key";
    case 404: return "is the URL that of an inference server, and of the chosen kind?";
    case 429: return "the server is busy; try again";
    case 503: return "the server is still loading its model, or busy; try again";
    default: return "";
  }
}

bool Success(int status) { return status >= 200 && status < 300; }

}  // namespace

ErrorCode HttpStatusCode(int status) {
  switch (status) {
    case 401:
    case 403: return ErrorCode::kAuth;
    case 404: return ErrorCode::kNotFound;
    case 405:
    case 501: return ErrorCode::kUnsupported;
    case 408:
    case 429: return ErrorCode::kUnavailable;
    default: break;
  }
  if (status >= 400 && status < 500) return ErrorCode::kInvalidArgument;
  return status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kFormat;
}

std::string ErrorBodyText(std::string_view body) {
  const auto json = ParseStrictJson(body, "error");
  if (!json) return Quoted(body);
  const nlohmann::ordered_json* node = &*json;
  if (node->is_object() && node->contains("error")) node = &(*node)["error"];
  for (const char* name : {"message", "detail"}) {
    if (node->is_object() && node->contains(name) && (*node)[name].is_string()) {
      return Quoted((*node)[name].get_ref<const std::string&>());
    }
  }
  return node->is_string() ? Quoted(node->get_ref<const std::string&>()) : Quoted(body);
}

struct HttpClient::State {
  Url url;
  std::string name;  // for error texts
  HttpOptions options;

  std::mutex mutex;
  std::vector<std::unique_ptr<Connection>> idle;

  std::unique_ptr<Connection> Take(bool fresh) {
    const std::lock_guard lock(mutex);
    if (fresh || idle.empty()) return std::make_unique<Connection>(url, options);
    auto connection = std::move(idle.back());
    idle.pop_back();
    return connection;
  }
  void GiveBack(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex);
    if (idle.size() < kMaxIdleConnections) idle.push_back(std::move(connection));
  }

  Status Send(const char* method, std::string_view path, std::string_view body, const ChunkCallback& on_chunk,
              const std::stop_token& cancel);
  // The same with the whole body as the result.
  Result<std::string> Fetch(const char* method, std::string_view path, std::string_view body,
                            const std::stop_token& cancel);
};

namespace {

// One exchange: the request, and what became of it.
class Exchange {
 public:
  Exchange(const std::string& where, const ChunkCallback& on_chunk) : where_(where), on_chunk_(on_chunk) {}

  httplib::Request Request(const char* method, std::string path, std::string_view body) {
    httplib::Request request;
    request.method = method;
    request.path = std::move(path);
    request.body = body;
    if (!body.empty()) request.set_header("Content-Type", "application/json");
    request.response_handler = [this](const httplib::Response& response) {
      status_ = response.status;
      closes_ = response.version == "HTTP/1.0" || response.get_header_value("Connection") == "close";
      return true;
    };
    request.content_receiver = [this](const char* data, size_t size, size_t, size_t) {
      result_ = Receive({data, size});
      return result_.has_value();
    };
    return request;
  }

  bool answered() const { return status_ != 0; }
  // The server said that it closes the connection after this.
  bool closes() const { return closes_; }

  Status Finish(const httplib::Result& result, bool cancelled) {
    if (!result_) return std::move(result_);
    if (cancelled) return Fail(ErrorCode::kCancelled, where_, "the request was cancelled");
    if (answered() && !Success(status_)) {
      std::string problem = fmt::format("HTTP status {}", status_);
      if (!error_body_.empty()) problem += ": " + ErrorBodyText(error_body_);
      return Fail(HttpStatusCode(status_), where_, std::move(problem), StatusHint(status_));
    }
    if (result) return Ok();
    return Fail(TransferCode(result.error()), where_, TransferProblem(result.error()), TransferHint(result.error()));
  }

 private:
  Status Receive(std::string_view chunk) {
    if (!Success(status_)) {
      error_body_.append(chunk.substr(0, kMaxErrorBytes - error_body_.size()));
      return Ok();
    }
    return on_chunk_(chunk);
  }

  const std::string& where_;
  const ChunkCallback& on_chunk_;
  int status_ = 0;
  bool closes_ = false;
  std::string error_body_;
  Status result_ = Ok();
};

}  // namespace

Status HttpClient::State::Send(const char* method, std::string_view path, std::string_view body,
                               const ChunkCallback& on_chunk, const std::stop_token& cancel) {
  const HoldSigpipe hold;
  const std::string where = fmt::format("{}: {} {}", name, method, path);
  const std::string full_path = url.prefix + std::string(path);
  for (bool fresh : {false, true}) {
    if (cancel.stop_requested()) break;
    auto connection = Take(fresh);
    const bool reused = connection->used();
    connection->set_used();
    Exchange exchange(where, on_chunk);
    httplib::Result result;
    {
      const std::stop_callback breaker(cancel, [&] { connection->Break(); });
      result = connection->client().send(exchange.Request(method, full_path, body));
    }
    const bool cancelled = connection->broken();
    // A server may close an idle connection in the moment that it is taken up again.
    if (reused && !result && !exchange.answered() && !cancelled) continue;
    if (result && !cancelled) GiveBack(std::move(connection));
    return exchange.Finish(result, cancelled);
  }
  return Fail(ErrorCode::kCancelled, where, "the request was cancelled");
}

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::Create(std::string_view url, HttpOptions options) {
  auto state = std::make_unique<State>();
  ISOVEIL_ASSIGN_OR_RETURN(state->url, Url::Parse(url));
  state->name = state->url.ToString();
  state->options = std::move(options);
  return HttpClient(std::move(state));
}

const Url& HttpClient::url() const { return state_->url; }

Result<std::string> HttpClient::State::Fetch(const char* method, std::string_view path, std::string_view body,
                                             const std::stop_token& cancel) {
  std::string answer;
  const auto on_chunk = [&](std::string_view chunk) -> Status {
    if (chunk.size() > options.max_response_bytes - answer.size()) {
      return Fail(ErrorCode::kFormat, fmt::format("{}: {} {}", name, method, path),
                  fmt::format("the answer is larger than {} bytes", options.max_response_bytes),
                  "is the URL that of an inference server?");
    }
    answer += chunk;
    return Ok();
  };
  ISOVEIL_RETURN_IF_ERROR(Send(method, path, body, on_chunk, cancel));
  return answer;
}

Result<std::string> HttpClient::Get(std::string_view path, std::stop_token cancel) const {
  return state_->Fetch("GET", path, "", cancel);
}

Result<std::string> HttpClient::Post(std::string_view path, std::string_view json, std::stop_token cancel) const {
  return state_->Fetch("POST", path, json, cancel);
}

Status HttpClient::PostStream(std::string_view path, std::string_view json, const ChunkCallback& on_chunk,
                              std::stop_token cancel) const {
  return state_->Send("POST", path, json, on_chunk, cancel);
}

struct HttpWatch::State {
  static constexpr int kRequestsPerConnection = 40;         // llama-server closes after a hundred
  static constexpr std::chrono::seconds kTrustWithout{60};  // where no connection is kept
  static constexpr std::chrono::seconds kSign{6};           // how long a sign of life lasts there

  Url url;
  std::string name;
  HttpOptions options;

  mutable std::mutex mutex;
  std::shared_ptr<Connection> connection;
  uint64_t contact = 0;
  uint64_t n_opened = 0;  // of `connection`, when it was last looked at
  int n_requests = 0;     // over `connection`
  bool keeps = true;
  std::chrono::steady_clock::time_point last_sign, trusted_since;

  std::shared_ptr<Connection> Current() const {
    const std::lock_guard lock(mutex);
    return connection;
  }
  // After a request over `next`, which may be the current connection.
  void Note(const std::shared_ptr<Connection>& next, bool succeeded, bool closes) {
    const std::lock_guard lock(mutex);
    const auto now = std::chrono::steady_clock::now();
    const bool moved = next != connection;
    keeps = !closes;
    const bool continued = !keeps  ? now - trusted_since < kTrustWithout && now - last_sign < kSign
                           : moved ? connection->stands()
                                   : next->n_opened() == n_opened;
    if (!succeeded || !continued) ++contact, trusted_since = now;
    last_sign = now;
    connection = succeeded ? next : std::make_shared<Connection>(url, options);
    n_opened = connection->n_opened();
    n_requests = moved || !succeeded ? 0 : n_requests + 1;
  }
};

HttpWatch::HttpWatch(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpWatch::HttpWatch(HttpWatch&&) noexcept = default;
HttpWatch& HttpWatch::operator=(HttpWatch&&) noexcept = default;
HttpWatch::~HttpWatch() = default;

Result<HttpWatch> HttpWatch::Create(std::string_view url, HttpOptions options) {
  auto state = std::make_unique<State>();
  ISOVEIL_ASSIGN_OR_RETURN(state->url, Url::Parse(url));
  state->name = state->url.ToString();
  state->options = std::move(options);
  state->connection = std::make_shared<Connection>(state->url, state->options);
  return HttpWatch(std::move(state));
}

Result<std::string> HttpWatch::Get(std::string_view path, std::stop_token cancel) {
  const HoldSigpipe hold;
  const std::string where = fmt::format("{}: GET {}", state_->name, path);
  const bool is_worn = state_->n_requests >= State::kRequestsPerConnection;
  const auto connection = is_worn ? std::make_shared<Connection>(state_->url, state_->options) : state_->Current();
  std::string answer;
  const ChunkCallback on_chunk = [&](std::string_view chunk) -> Status {
    if (chunk.size() > state_->options.max_response_bytes - answer.size()) {
      return Fail(ErrorCode::kFormat, where, "the answer is too large", "is the URL that of an inference server?");
    }
    answer += chunk;
    return Ok();
  };
  Exchange exchange(where, on_chunk);
  httplib::Result result;
  {
    const std::stop_callback breaker(cancel, [&] { connection->Break(); });
    result = connection->client().send(exchange.Request("GET", state_->url.prefix + std::string(path), ""));
  }
  const Status status = exchange.Finish(result, connection->broken());
  state_->Note(connection, status.has_value(), exchange.closes());
  ISOVEIL_RETURN_IF_ERROR(status);
  return answer;
}

uint64_t HttpWatch::contact() const {
  const std::lock_guard lock(state_->mutex);
  return state_->contact;
}

bool HttpWatch::stands() const {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->keeps) return std::chrono::steady_clock::now() - state_->last_sign < State::kSign;
  }
  return state_->Current()->stands();
}

}  // namespace isoveil
