#include "isoveil/hub/hub_client.h"

#include <nlohmann/json.hpp>

#include "isoveil/base/strict_json.h"
#include "isoveil/hub/web_address.h"

namespace isoveil {
namespace {

constexpr int kMaxRedirects = 10;
constexpr const char* kGoesOn = "the same command goes on where it ended";

// What the server says went wrong; nothing if that repeats the token.
std::string ServerMessage(const HubAnswer& answer, const std::string& body, const HubToken& token) {
  std::string text = HeaderOf(answer.headers, "x-error-message");
  if (text.empty()) {
    const auto json = ParseStrictJson(body, "error");
    if (json && json->is_object() && json->contains("error") && (*json)["error"].is_string()) text = (*json)["error"];
  }
  if (text.empty() || (!token.empty() && text.find(token.InsecureText()) != std::string::npos)) return "";
  return ": " + Quoted(text);
}

std::string Advice(const HubSettings& s) {
  return fmt::format("accept the licence at {}/{} with your account, then set HF_TOKEN to a token of it", s.endpoint,
                     s.repository);
}

Error AuthError(const HubSettings& s, const std::string& code, const std::string& said) {
  if (code == "RepoNotFound") {
    const char* problem =
        s.token.empty() ? "is no repository, or a private one" : "is no repository that the token may read";
    return {ErrorCode::kNotFound, s.repository, problem + said,
            "check the name; for a private repository set HF_TOKEN to a token that may read it"};
  }
  if (code != "GatedRepo" && !s.token.empty()) {
    return {ErrorCode::kAuth, s.repository, "the token is not accepted" + said,
            "check HF_TOKEN; if the model is gated, " + Advice(s)};
  }
  return {ErrorCode::kAuth, s.repository,
          (s.token.empty() ? "is gated or private, and no token is set"
                           : "is gated, and the token's account has no access") +
              said,
          Advice(s)};
}

Error NotFoundError(const HubSettings& s, const std::string& code, const std::string& url, const std::string& said) {
  if (code == "RevisionNotFound") {
    return {ErrorCode::kNotFound, s.repository, "has no revision " + Quoted(s.revision) + said, "check --revision"};
  }
  if (code == "EntryNotFound") return {ErrorCode::kNotFound, url, "is not there" + said, ""};
  return {ErrorCode::kNotFound, s.repository,
          "no such repository, or no revision " + Quoted(s.revision) + " in it" + said,
          "check the name and --revision"};
}

RequestFailure StatusFailure(const HubSettings& s, const HubAnswer& answer, const std::string& body, bool from_hub) {
  const std::string code = HeaderOf(answer.headers, "x-error-code");
  const std::string said = ServerMessage(answer, body, s.token);
  const std::string url = WithoutQuery(answer.url);
  const int status = answer.status;
  if (from_hub && (status == 401 || status == 403)) return {AuthError(s, code, said), false, {}};
  if (from_hub && status == 404) return {NotFoundError(s, code, url, said), false, {}};
  // A signed address of the other host runs out; the next try gets a new one.
  const bool transient = status == 408 || status == 429 || (status >= 500 && status != 501) ||
                         (!from_hub && (status == 401 || status == 403));
  return {{ErrorCode::kUnavailable, url, fmt::format("the server answers HTTP {}{}", status, said), kGoesOn},
          transient,
          {}};
}

RequestFailure TransferFailure(Error error) {
  const bool is_transient = error.code == ErrorCode::kUnavailable;
  if (is_transient) error.hint = std::string("check the network; ") + kGoesOn;
  if (error.code == ErrorCode::kAuth) error.hint = "for a private hub, set SSL_CERT_FILE to its certificate authority";
  return {std::move(error), is_transient, {}};
}

RequestFailure Lasting(Error error) { return {std::move(error), false, {}}; }

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

HubClient::HubClient(HubSettings settings)
    : settings_(std::move(settings)),
      connection_(NewCurlConnection({.connect_timeout = settings_.connect_timeout,
                                     .read_timeout = settings_.silence,
                                     .ca_file = settings_.ca_file})) {}

// One request without following. `failed` is set by a callback's error, which is lasting.
tl::expected<HttpAnswer, RequestFailure> HubClient::Ask(const HubRequest& request, const Url& url,
                                                        const OnHead& on_start, const ChunkCallback& on_data,
                                                        const std::stop_token& stop) {
  HttpRequest http{.url = url, .where = url.WithoutQuery()};
  if (request.offset > 0) http.headers.emplace_back("Range", fmt::format("bytes={}-", request.offset));
  if (request.offset > 0 && !request.if_range.empty()) http.headers.emplace_back("If-Range", request.if_range);
  if (!settings_.token.empty() && MayCarryToken(url.ToString(), settings_.endpoint)) {
    http.headers.emplace_back("Authorization", "Bearer " + settings_.token.InsecureText());
  }
  bool is_refused = false;
  const auto noting = [&](Status status) {
    is_refused = !status;
    return status;
  };
  HttpAnswer answer;
  Status done = Exchange(
      *connection_, http, [&](const HttpHead& head) { return noting(on_start(head)); },
      [&](std::string_view bytes) { return noting(on_data(bytes)); }, stop, answer);
  if (done) return answer;
  if (is_refused) return tl::unexpected(Lasting(std::move(done).error()));
  return tl::unexpected(TransferFailure(std::move(done).error()));
}

tl::expected<HubAnswer, RequestFailure> HubClient::Get(const HubRequest& request, const OnHubStart& on_start,
                                                       const OnHubData& on_data, const std::stop_token& stop) {
  HubAnswer answer;
  answer.url = request.url;
  for (int hops = 0; hops <= kMaxRedirects; ++hops) {
    const bool from_hub = SameOrigin(answer.url, settings_.endpoint);
    const auto take = [&](const HttpHead& head) {
      answer.status = head.status;
      answer.headers = head.headers;
      // The first of each name.
      if (from_hub) answer.hub_headers.insert(head.headers.begin(), head.headers.end());
    };
    const auto start = [&](const HttpHead& head) {
      take(head);
      return on_start(answer);
    };
    const Result<Url> url = Url::Parse(answer.url, "URL");
    if (!url) return tl::unexpected(Lasting(url.error()));
    const auto got = Ask(request, *url, start, on_data, stop);
    if (!got) return tl::unexpected(got.error());
    if (got->ok()) return answer;
    take(got->head);
    if (!IsRedirect(answer.status)) {
      RequestFailure failure = StatusFailure(settings_, answer, got->error_body, from_hub);
      failure.retry_after = ParseRetryAfter(HeaderOf(answer.headers, "retry-after"));
      return tl::unexpected(std::move(failure));
    }
    Result<std::string> next = FollowRedirect(answer.url, HeaderOf(answer.headers, "location"));
    if (!next) return tl::unexpected(Lasting(std::move(next).error()));
    answer.url = *std::move(next);
  }
  return tl::unexpected(Lasting({ErrorCode::kUnavailable, WithoutQuery(request.url),
                                 fmt::format("redirects more than {} times", kMaxRedirects), "check the endpoint"}));
}

}  // namespace isoveil
