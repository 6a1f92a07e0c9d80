#include "isoveil/gateway/gateway.h"

#include <httplib.h>
#include <sys/resource.h>

#include <ctime>
#include <thread>

#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/exchange.h"
#include "isoveil/gateway/http_server.h"
#include "isoveil/gateway/message_builder.h"
#include "isoveil/gateway/metrics.h"
#include "isoveil/gateway/page.h"
#include "isoveil/gateway/request_meter.h"
#include "isoveil/gateway/route_table.h"

namespace isoveil {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{250};         // how soon a client that left is noticed
constexpr milliseconds kPingAfter{5'000};  // silence that proxies take for a broken connection
constexpr time_t kKeepAliveSeconds = 5;

// Anthropic's clients send the key alone.
std::string AuthorizationOf(const httplib::Request& request) {
  const bool alone = !request.has_header("Authorization") && request.has_header("x-api-key");
  return alone ? "Bearer " + request.get_header_value("x-api-key") : request.get_header_value("Authorization");
}

Caller CallerOf(const httplib::Request& request) {
  return {.host = request.get_header_value("Host"),
          .origin = request.get_header_value("Origin"),
          .fetch_site = request.get_header_value("Sec-Fetch-Site"),
          .authorization = AuthorizationOf(request)};
}

// A request from its head to the end of its answer.
struct Running {
  explicit Running(std::function<void(const Running&)> its_end) : on_end(std::move(its_end)) {}
  ~Running() { on_end(*this); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); }

  const std::function<void(const Running&)> on_end;
  const std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  std::string method;
  std::string_view endpoint;
  size_t who = 0;  // number of the API key
  int status = 500;
  std::shared_ptr<const RequestMeter> meter = {};  // of what generates
};

constexpr const char* kRunning = "running";  // of a response's data

Running* RunningOf(httplib::Response& response) {
  const auto* found = response.user_data.get<std::shared_ptr<Running>>(kRunning);
  return found ? found->get() : nullptr;
}

void WriteError(const ApiError& error, ErrorForm form, httplib::Response& response) {
  response.status = error.status;
  if (error.retry_after_seconds) response.set_header("Retry-After", std::to_string(*error.retry_after_seconds));
  if (error.status == 401) response.set_header("WWW-Authenticate", "Bearer");
  response.set_content(error.ToJson(form).dump(-1, ' ', false, Json::error_handler_t::replace), "application/json");
}

// A whole answer, written by the connection's own thread.
class ResponseReply final : public ReplyWriter {
 public:
  ResponseReply(httplib::Response& response, ErrorForm form) : response_(response), form_(form) {}

  void Send(int status, std::string body, std::string content_type) override {
    response_.status = status;
    response_.set_content(std::move(body), content_type);
  }
  bool Event(std::string_view, std::string_view) override { return false; }
  bool has_events() const override { return false; }
  void Fail(const ApiError& error) override { WriteError(error, form_, response_); }

 private:
  httplib::Response& response_;
  const ErrorForm form_;
};

RouteTable RoutesFor(const GatewayOptions& options) {
  std::vector<const Endpoint*> endpoints;
  for (const Endpoint& endpoint : Endpoints()) {
    if (options.metrics || !endpoint.is_for_metrics) endpoints.push_back(&endpoint);
  }
  return RouteTable(std::move(endpoints));
}

// A connection takes a descriptor, and perhaps one to a server; many systems give a process no more than 1,024.
void AllowFiles(size_t n) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = std::min<rlim_t>(n, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

class Gateway::Impl {
 public:
  Impl(std::unique_ptr<const ClientFolder> client, std::unique_ptr<UpstreamPool> pool, GatewayOptions options,
       Guard guard)
      : client_(std::move(client)),
        pool_(std::move(pool)),
        options_(std::move(options)),
        guard_(std::move(guard)),
        service_{.client = *client_,
                 .upstream = pool_.get(),
                 .name = options_.model_name,
                 .created = std::time(nullptr),
                 .limits = options_.limits,
                 .parse_special = options_.parse_special,
                 .pool = pool_.get(),
                 .metrics = &metrics_,
                 .upstream_url = options_.upstream_urls.front()},
        server_(static_cast<size_t>(std::max(8, options_.max_connections))) {}

  ~Impl() { Stop(); }

  Status Start();
  void Stop();
  uint16_t port() const { return options_.guard.port; }
  // The page holds conversations.
  bool has_page() const { return options_.page && client_->manifest.ports.FindPort(PortKind::kLogits) != nullptr; }
  std::string url() const {
    const std::string& host = options_.guard.host;
    return fmt::format("http://{}:{}", host.find(':') == std::string::npos ? host : "[" + host + "]", port());
  }

 private:
  void SetLimits();
  void Route();
  bool RefuseMethod(const httplib::Request& request, httplib::Response& response) const;
  void AllowOrigin(const httplib::Request& request, httplib::Response& response) const;
  httplib::Server::HandlerResponse CheckCaller(const httplib::Request& request, httplib::Response& response);
  void AnswerLook(const Endpoint& endpoint, const httplib::Request& request, httplib::Response& response) const;
  void Answer(const Endpoint& endpoint, const httplib::Request& request, httplib::Response& response);
  void Stream(std::shared_ptr<Exchange> exchange, Guard::Slot held, const httplib::Request& request,
              httplib::Response& response);
  void Write(const ApiError& error, const httplib::Request& request, httplib::Response& response) const {
    WriteError(error, routes_.ErrorsAt(request.path), response);
  }
  bool NeedsKey(const std::string& path) const;
  void BeginRecord(const httplib::Request& request, httplib::Response& response, size_t who);
  void EndRecord(const Running& running);

  std::unique_ptr<const ClientFolder> client_;
  std::unique_ptr<UpstreamPool> pool_;
  GatewayOptions options_;
  Guard guard_;
  Metrics metrics_{options_.upstream_urls.size()};
  ModelService service_;
  const RouteTable routes_{RoutesFor(options_)};
  std::stop_source stopping_;
  HttpServer server_;
  std::thread listener_;
};

Status Gateway::Impl::Start() {
  AllowFiles(2 * static_cast<size_t>(options_.max_connections) + 256);
  if (!client_->vocabulary.chat_template().empty()) {
    ISOVEIL_ASSIGN_OR_RETURN(TemplateSource source, ChatTemplate::SourceOf(client_->vocabulary));
    ISOVEIL_ASSIGN_OR_RETURN(service_.chat, ChatTemplate::Isolate(std::move(source), options_.template_worker));
    service_.system_places = FindSystemPlaces(*service_.chat);
    if (!options_.parse_special) {
      service_.spelled = std::make_shared<SpelledTokens>(client_->vocabulary, client_->vocabulary.chat_template());
    }
  }
  service_.n_context = [this] { return pool_->n_context(); };
  SetLimits();
  Route();
  const std::string& host = options_.guard.host;
  if (options_.guard.port == 0) {
    const int port = server_.bind_to_any_port(host);
    if (port <= 0) return Fail(ErrorCode::kIo, host, "cannot listen on this address");
    options_.guard.port = static_cast<uint16_t>(port);
    ISOVEIL_ASSIGN_OR_RETURN(guard_, Guard::Create(options_.guard));
  } else if (!server_.bind_to_port(host, options_.guard.port)) {
    return Fail(ErrorCode::kExists, fmt::format("{}:{}", host, options_.guard.port),
                "cannot listen here: the port is in use or the address is not this machine's",
                "choose another one with --port");
  }
  listener_ = std::thread([this] { server_.listen_after_bind(); });
  server_.wait_until_ready();
  return Ok();
}

void Gateway::Impl::Stop() {
  stopping_.request_stop();
  server_.Stop();
  if (listener_.joinable()) listener_.join();
}

void Gateway::Impl::SetLimits() {
  server_.set_payload_max_length(options_.limits.max_body_bytes);
  server_.set_keep_alive_timeout(kKeepAliveSeconds);
  server_.set_keep_alive_max_count(1000);
  server_.set_tcp_nodelay(true);
  // httplib sets SO_REUSEPORT, with which two gateways would silently share a port.
  server_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  server_.set_default_headers({{"X-Content-Type-Options", "nosniff"},
                               {"Referrer-Policy", "no-referrer"},
                               {"Cache-Control", "no-store"},
                               {"Server", "isoveil"}});
  server_.set_pre_routing_handler(
      [this](const httplib::Request& request, httplib::Response& response) { return CheckCaller(request, response); });
  // What goes out is never compressed: httplib leaves alone what names its coding, which is said to nobody.
  server_.set_post_routing_handler(
      [](const httplib::Request&, httplib::Response& response) { response.headers.erase("Content-Encoding"); });
  server_.set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return httplib::Server::HandlerResponse::Unhandled;
    if (response.status == 404 && RefuseMethod(request, response)) return httplib::Server::HandlerResponse::Handled;
    ApiError error{
        .status = response.status, .type = "invalid_request_error", .message = "", .code = ApiCode::kBadRequest};
    switch (response.status) {
      case 404:
        error.message = fmt::format("there is nothing at {}", Quoted(request.path));
        error.code = ApiCode::kNotFound;
        break;
      case 413:
        error.message = "the body is larger than this gateway takes, as it comes or unpacked";
        error.code = ApiCode::kBodyTooLarge;
        break;
      case 415:
        error.message = "expected a body as it is, or one with Content-Encoding gzip or deflate";
        error.code = ApiCode::kUnsupportedContentEncoding;
        break;
      default: error.message = "the request cannot be understood: its headers, framing or compression are damaged";
    }
    Write(error, request, response);
    return httplib::Server::HandlerResponse::Handled;
  });
  server_.set_logger([](const httplib::Request&, const httplib::Response& response) {
    const auto* running = response.user_data.get<std::shared_ptr<Running>>(kRunning);
    if (running) (*running)->status = response.status;
  });
  server_.set_exception_handler(
      [this](const httplib::Request& request, httplib::Response& response, std::exception_ptr) {
        Write({.status = 500, .message = "the gateway failed on this request", .code = ApiCode::kInternalError},
              request, response);
      });
}

// The path is there, the method is not.
bool Gateway::Impl::RefuseMethod(const httplib::Request& request, httplib::Response& response) const {
  const std::set<std::string_view> methods = routes_.Methods(request.path);
  if (methods.empty()) return false;
  const std::string list = fmt::format("{}", fmt::join(methods, ", "));
  response.set_header("Allow", list);
  Write({.status = 405,
         .type = "invalid_request_error",
         .message = fmt::format("expected {} here", list),
         .code = ApiCode::kMethodNotAllowed},
        request, response);
  return true;
}

// What a browser needs to hear before it lets a page of another origin see an answer, refusals among them.
void Gateway::Impl::AllowOrigin(const httplib::Request& request, httplib::Response& response) const {
  response.set_header("Access-Control-Allow-Origin", request.get_header_value("Origin"));
  response.set_header("Access-Control-Expose-Headers", "X-Request-Id, Request-Id, Retry-After, X-Should-Retry");
  if (request.method != "OPTIONS") return;
  response.set_header("Access-Control-Allow-Methods", fmt::format("{}", fmt::join(routes_.Methods(), ", ")));
  // Clients send headers of their own kind (x-stainless-...); none of them is a credential that a browser adds.
  const std::string asked = request.get_header_value("Access-Control-Request-Headers");
  response.set_header("Access-Control-Allow-Headers", asked.empty() ? "Authorization, Content-Type" : asked);
  response.set_header("Access-Control-Max-Age", "600");
  if (request.get_header_value("Access-Control-Request-Private-Network") == "true") {
    response.set_header("Access-Control-Allow-Private-Network", "true");
  }
}

httplib::Server::HandlerResponse Gateway::Impl::CheckCaller(const httplib::Request& request,
                                                            httplib::Response& response) {
  response.set_header("Content-Encoding", "identity");  // taken out again after routing, see SetLimits
  const std::string id = RandomId("req_");
  response.set_header("X-Request-Id", id);
  response.set_header("request-id", id);  // where Anthropic's clients look
  const Caller caller = CallerOf(request);
  size_t who = 0;
  const std::optional<ApiError> wrong_key = guard_.CheckKey(caller, &who);
  BeginRecord(request, response, who);
  std::optional<ApiError> refusal = guard_.CheckPlace(caller);
  if (!options_.guard.allowed_origins.empty()) response.set_header("Vary", "Origin");
  if (guard_.IsListedOrigin(caller)) {
    AllowOrigin(request, response);
    // A preflight carries no key.
    if (!refusal && request.method == "OPTIONS" && request.has_header("Access-Control-Request-Method")) {
      response.status = 204;
      return httplib::Server::HandlerResponse::Handled;
    }
  }
  if (!refusal && NeedsKey(request.path)) refusal = wrong_key;
  if (!refusal) return httplib::Server::HandlerResponse::Unhandled;
  Write(*refusal, request, response);
  return httplib::Server::HandlerResponse::Handled;
}

bool Gateway::Impl::NeedsKey(const std::string& path) const {
  const Endpoint* endpoint = routes_.Find(path);
  return endpoint != nullptr ? !endpoint->is_open : FindPageFile(path) == nullptr;
}

void Gateway::Impl::BeginRecord(const httplib::Request& request, httplib::Response& response, size_t who) {
  const Endpoint* endpoint = routes_.Find(request.path);
  if (endpoint != nullptr ? endpoint->is_look : FindPageFile(request.path) != nullptr) return;
  auto running = std::make_shared<Running>([this](const Running& ended) { EndRecord(ended); });
  running->method = request.method;
  running->endpoint = endpoint != nullptr ? endpoint->path : "";
  running->who = who;
  metrics_.Begin();
  response.user_data.set(kRunning, std::move(running));
}

void Gateway::Impl::EndRecord(const Running& running) {
  const RequestCost cost = running.meter ? running.meter->cost() : RequestCost{};
  // A stream that broke has begun with 200.
  const int status =
      running.status == 200 && cost.failure ? ToApiError({*cost.failure, "", "", ""}).status : running.status;
  metrics_.End(status, running.seconds(), cost);
  if (!options_.on_request) return;
  options_.on_request(
      {.time = std::chrono::system_clock::now(),
       .method = running.method,
       .endpoint = running.endpoint,
       .status = status,
       .prompt_tokens = cost.prompt_tokens,
       .completion_tokens = cost.completion_tokens,
       .ms = running.seconds() * 1000,
       .first_token_ms = cost.first_token_seconds ? std::optional(*cost.first_token_seconds * 1000) : std::nullopt,
       .server = cost.server ? std::string_view(options_.upstream_urls.at(*cost.server)) : ""});
}

void Gateway::Impl::Route() {
  for (const Endpoint* endpoint : routes_.endpoints()) {
    const std::string pattern = RouteTable::Pattern(endpoint->path);
    const auto handler = [this, endpoint](const httplib::Request& request, httplib::Response& response) {
      if (endpoint->is_look) return AnswerLook(*endpoint, request, response);
      Answer(*endpoint, request, response);
    };
    if (endpoint->method == "POST") server_.Post(pattern, handler);
    if (endpoint->method == "GET") server_.Get(pattern, handler);
    if (endpoint->method == "DELETE") server_.Delete(pattern, handler);
  }
  if (has_page()) {
    server_.Get(R"(/[a-z.]*)", [](const httplib::Request& request, httplib::Response& response) {
      const PageFile* file = FindPageFile(request.path);
      if (!file) {
        response.status = 404;
        return;
      }
      response.set_header("Content-Security-Policy", kPagePolicy);
      response.set_header("Cross-Origin-Opener-Policy", "same-origin");
      response.set_header("Cross-Origin-Resource-Policy", "same-origin");
      response.set_content(file->content.data(), file->content.size(), std::string(file->content_type));
    });
  }
}

void Gateway::Impl::AnswerLook(const Endpoint& endpoint, const httplib::Request& request,
                               httplib::Response& response) const {
  ResponseReply reply(response, routes_.ErrorsAt(request.path));
  AnswerAt(endpoint, service_, {}, reply);
}

// Waits for the first thing that the work has to say: it decides between a document and a stream.
void Gateway::Impl::Answer(const Endpoint& endpoint, const httplib::Request& request, httplib::Response& response) {
  Running* running = RunningOf(response);
  const auto slot = guard_.Enter(running->who);
  if (!slot) return Write(slot.error(), request, response);
  auto meter = std::make_shared<RequestMeter>(*pool_);
  running->meter = meter;
  auto exchange = std::make_shared<Exchange>(endpoint.errors);
  ApiRequest api{.body = request.body,
                 .id = response.get_header_value("X-Request-Id"),
                 .wants_wire = request.get_header_value("X-Isoveil-Wire") == "1",
                 .who = running->who,
                 .target = request.matches.size() > 1 ? request.matches[1].str() : ""};
  exchange->Start([this, &endpoint, meter, api = std::move(api)](ReplyWriter& reply, std::stop_token cancel) mutable {
    api.cancel = std::move(cancel);
    ModelService service = service_;
    service.upstream = meter.get();
    AnswerAt(endpoint, service, api, reply);
  });
  for (;;) {
    ReplyItem item = exchange->First(kTick);
    switch (item.kind) {
      case ReplyItem::Kind::kNothingYet:
        if (!request.is_connection_closed() && !stopping_.stop_requested()) continue;
        return Write(ToApiError({ErrorCode::kCancelled, "", "", ""}), request, response);
      case ReplyItem::Kind::kEvent:
        response.set_header("X-Accel-Buffering", "no");
        return Stream(exchange, *slot, request, response);
      case ReplyItem::Kind::kWhole:
        response.status = item.status;
        if (item.retry_after_seconds) response.set_header("Retry-After", std::to_string(*item.retry_after_seconds));
        if (item.final) response.set_header("X-Should-Retry", "false");
        return response.set_content(std::move(item.text), item.content_type);
      case ReplyItem::Kind::kEnd:
        return Write({.status = 500, .message = "the gateway has no answer", .code = ApiCode::kInternalError}, request,
                     response);
    }
  }
}

void Gateway::Impl::Stream(std::shared_ptr<Exchange> exchange, Guard::Slot held, const httplib::Request& request,
                           httplib::Response& response) {
  auto provide = [this, exchange, held = std::move(held)](size_t, httplib::DataSink& sink) {
    const auto write = [&sink](std::string_view bytes) { return sink.write(bytes.data(), bytes.size()); };
    milliseconds silent{0};
    const auto go_on = [&](bool is_silent) {
      if (stopping_.stop_requested() || !sink.is_writable()) return false;
      silent = is_silent ? silent + kTick : milliseconds(0);
      if (silent < kPingAfter) return true;
      silent = milliseconds(0);
      return write(": ping\n\n");
    };
    if (!exchange->Stream(write, kTick, go_on)) return false;
    sink.done();
    return true;
  };
  const auto release = [this, exchange, running = RunningOf(response)](bool whole) {
    exchange->Cancel();
    if (!whole && running) running->status = stopping_.stop_requested() ? 503 : 499;
  };
  if (request.version == "HTTP/1.0") {  // knows no chunks: the end of the connection is the end of the stream
    response.set_header("Connection", "close");
    return response.set_content_provider("text/event-stream", std::move(provide), release);
  }
  response.set_chunked_content_provider("text/event-stream", std::move(provide), release);
}

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>> Gateway::Start(std::unique_ptr<const ClientFolder> client,
                                                std::unique_ptr<UpstreamPool> pool, GatewayOptions options) {
  ISOVEIL_ASSIGN_OR_RETURN(Guard guard, Guard::Create(options.guard));
  auto impl = std::make_unique<Impl>(std::move(client), std::move(pool), std::move(options), std::move(guard));
  ISOVEIL_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

std::string Gateway::url() const { return impl_->url(); }
uint16_t Gateway::port() const { return impl_->port(); }
bool Gateway::has_page() const { return impl_->has_page(); }
void Gateway::Stop() { impl_->Stop(); }

}  // namespace isoveil
