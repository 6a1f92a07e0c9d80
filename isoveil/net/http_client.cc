#include "isoveil/net/http_client.h"

#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

constexpr size_t kMaxIdleConnections = 64;

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

namespace {

// A server by its base address: requests to it, and its answers' statuses as errors.
struct Server {
  Url url;
  std::string name;  // for error texts
  HttpOptions options;

  static Result<Server> Parse(std::string_view text, HttpOptions options) {
    ISOVEIL_ASSIGN_OR_RETURN(const Url url, Url::ParseBase(text, "upstream URL"));
    ISOVEIL_RETURN_IF_ERROR(CheckPlainReaches(url));
    return Server{url, url.ToString(), std::move(options)};
  }

  HttpRequest Request(std::string_view method, std::string_view path, std::string_view body) const {
    HttpRequest request{.method = method, .url = url, .body = body, .where = {}};
    request.where = fmt::format("{}: {} {}", name, method, path);
    request.url.path += path;
    if (!options.bearer_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + options.bearer_key);
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    return request;
  }

  static Status StatusOf(const HttpAnswer& answer, const std::string& where) {
    if (answer.ok()) return Ok();
    std::string problem = fmt::format("HTTP status {}", answer.head.status);
    if (!answer.error_body.empty()) problem += ": " + ErrorBodyText(answer.error_body);
    return Fail(HttpStatusCode(answer.head.status), where, std::move(problem), StatusHint(answer.head.status));
  }

  // Puts an answer together, up to the limit.
  ChunkCallback Gather(std::string& answer, const std::string& where) const {
    return [&answer, &where, limit = options.max_response_bytes](std::string_view chunk) -> Status {
      if (chunk.size() > limit - answer.size()) {
        return Fail(ErrorCode::kFormat, where, fmt::format("the answer is larger than {} bytes", limit),
                    "is the URL that of an inference server?");
      }
      answer += chunk;
      return Ok();
    };
  }
};

}  // namespace

struct HttpClient::State {
  struct Idle {
    std::unique_ptr<HttpConnection> connection;
    bool was_used = false;
  };

  explicit State(Server its_server) : server(std::move(its_server)) {}

  Idle Take(bool fresh) {
    const std::lock_guard lock(mutex);
    if (fresh || idle.empty()) return {NewPlainConnection(server.options), false};
    Idle taken{std::move(idle.back()), true};
    idle.pop_back();
    return taken;
  }
  void GiveBack(std::unique_ptr<HttpConnection> connection) {
    const std::lock_guard lock(mutex);
    if (idle.size() < kMaxIdleConnections) idle.push_back(std::move(connection));
  }

  Status Send(const HttpRequest& request, const ChunkCallback& on_chunk, const std::stop_token& cancel) {
    for (const bool fresh : {false, true}) {
      if (cancel.stop_requested()) break;
      Idle taken = Take(fresh);
      HttpAnswer answer;
      Status sent = Exchange(*taken.connection, request, {}, on_chunk, cancel, answer);
      // A server may close an idle connection in the moment that it is taken up again.
      if (!sent && taken.was_used && answer.head.status == 0 && !cancel.stop_requested()) continue;
      if (sent) GiveBack(std::move(taken.connection));
      // What is no success has told why before its connection broke.
      const bool is_told = sent || (answer.head.status != 0 && !answer.ok() && !cancel.stop_requested());
      return is_told ? Server::StatusOf(answer, request.where) : sent;
    }
    return Fail(ErrorCode::kCancelled, request.where, "the request was cancelled");
  }
  // The same with the whole body as the result.
  Result<std::string> Fetch(std::string_view method, std::string_view path, std::string_view body,
                            const std::stop_token& cancel) {
    const HttpRequest request = server.Request(method, path, body);
    std::string answer;
    ISOVEIL_RETURN_IF_ERROR(Send(request, server.Gather(answer, request.where), cancel));
    return answer;
  }

  const Server server;
  std::mutex mutex;
  std::vector<std::unique_ptr<HttpConnection>> idle;
};

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::Create(std::string_view url, HttpOptions options) {
  ISOVEIL_ASSIGN_OR_RETURN(Server server, Server::Parse(url, std::move(options)));
  return HttpClient(std::make_unique<State>(std::move(server)));
}

const Url& HttpClient::url() const { return state_->server.url; }

Result<std::string> HttpClient::Get(std::string_view path, std::stop_token cancel) const {
  return state_->Fetch("GET", path, "", cancel);
}

Result<std::string> HttpClient::Post(std::string_view path, std::string_view json, std::stop_token cancel) const {
  return state_->Fetch("POST", path, json, cancel);
}

Status HttpClient::PostStream(std::string_view path, std::string_view json, const ChunkCallback& on_chunk,
                              std::stop_token cancel) const {
  return state_->Send(state_->server.Request("POST", path, json), on_chunk, cancel);
}

struct HttpWatch::State {
  static constexpr int kRequestsPerConnection = 40;         // llama-server closes after a hundred
  static constexpr std::chrono::seconds kTrustWithout{60};  // where no connection is kept
  static constexpr std::chrono::seconds kSign{6};           // how long a sign of life lasts there

  explicit State(Server its_server) : server(std::move(its_server)), connection(Open()) {}

  const Server server;
  mutable std::mutex mutex;
  std::shared_ptr<HttpConnection> connection;
  uint64_t contact = 0;
  uint64_t n_opened = 0;  // of `connection`, when it was last looked at
  int n_requests = 0;     // over `connection`
  bool keeps = true;
  std::chrono::steady_clock::time_point last_sign, trusted_since;

  std::shared_ptr<HttpConnection> Open() const { return NewPlainConnection(server.options); }
  std::shared_ptr<HttpConnection> Current() const {
    const std::lock_guard lock(mutex);
    return connection;
  }
  // After a request over `next`, which may be the current connection.
  void Note(const std::shared_ptr<HttpConnection>& next, bool succeeded, bool closes) {
    const std::lock_guard lock(mutex);
    const auto now = std::chrono::steady_clock::now();
    const bool moved = next != connection;
    keeps = !closes;
    const bool continued = !keeps  ? now - trusted_since < kTrustWithout && now - last_sign < kSign
                           : moved ? connection->stands()
                                   : next->n_opened() == n_opened;
    if (!succeeded || !continued) ++contact, trusted_since = now;
    last_sign = now;
    connection = succeeded ? next : Open();
    n_opened = connection->n_opened();
    n_requests = moved || !succeeded ? 0 : n_requests + 1;
  }
};

HttpWatch::HttpWatch(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpWatch::HttpWatch(HttpWatch&&) noexcept = default;
HttpWatch& HttpWatch::operator=(HttpWatch&&) noexcept = default;
HttpWatch::~HttpWatch() = default;

Result<HttpWatch> HttpWatch::Create(std::string_view url, HttpOptions options) {
  ISOVEIL_ASSIGN_OR_RETURN(Server server, Server::Parse(url, std::move(options)));
  return HttpWatch(std::make_unique<State>(std::move(server)));
}

Result<std::string> HttpWatch::Get(std::string_view path, std::stop_token cancel) {
  const HttpRequest request = state_->server.Request("GET", path, "");
  const bool is_worn = state_->n_requests >= State::kRequestsPerConnection;
  const auto connection = is_worn ? state_->Open() : state_->Current();
  std::string body;
  HttpAnswer answer;
  Status status =
      Exchange(*connection, request, {}, state_->server.Gather(body, request.where), std::move(cancel), answer);
  if (status) status = Server::StatusOf(answer, request.where);
  state_->Note(connection, status.has_value(), HeaderOf(answer.head.headers, "connection") == "close");
  ISOVEIL_RETURN_IF_ERROR(status);
  return body;
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
