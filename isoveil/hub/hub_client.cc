#include "isoveil/hub/hub_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "isoveil/base/strict_json.h"
#include "isoveil/hub/web_address.h"

namespace isoveil {
namespace {

constexpr int kMaxRedirects = 10;
constexpr size_t kMaxErrorBody = 1 << 16;
constexpr const char* kGoesOn = "the same command goes on where it ended";

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

class HeaderList {
 public:
  HeaderList() = default;
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  void Add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

// What the callbacks of one hop fill in.
struct Hop {
  CURL* curl = nullptr;
  HubAnswer* answer = nullptr;
  const OnHubStart* on_start = nullptr;
  const OnHubData* on_data = nullptr;
  const std::atomic<bool>* stop = nullptr;
  bool from_hub = false;
  std::chrono::seconds silence{0};
  std::chrono::steady_clock::time_point last_byte = std::chrono::steady_clock::now();
  curl_off_t received = 0;
  bool silent = false;
  bool started = false;
  Status status;           // of the callbacks
  std::string error_body;  // of an answer that is an error

  Status Start() {
    started = true;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (from_hub) {
      for (const auto& [name, value] : answer->headers) answer->hub_headers.emplace(name, value);
    }
    const bool ok = answer->status >= 200 && answer->status < 300;
    return ok ? (*on_start)(*answer) : Ok();
  }
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  std::string_view line(data, size * count);
  // An interim answer, such as 100, comes before the answer.
  if (line.starts_with("HTTP/")) hop.answer->headers.clear();
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  hop.answer->headers[name] = std::string(value);
  return size * count;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  const std::string_view bytes(data, size * count);
  if (!hop.started && !(hop.status = hop.Start())) return CURL_WRITEFUNC_ERROR;
  if (hop.answer->status >= 300) {
    hop.error_body.append(bytes.substr(0, kMaxErrorBody - std::min(kMaxErrorBody, hop.error_body.size())));
    return bytes.size();
  }
  hop.status = (*hop.on_data)(bytes);
  return hop.status ? bytes.size() : CURL_WRITEFUNC_ERROR;
}

// Called about once a second even when nothing comes. libcurl's own speed limit looks at a mean of several
// seconds, and so gives up late.
int OnProgress(void* user, curl_off_t, curl_off_t received, curl_off_t, curl_off_t) {
  auto& hop = *static_cast<Hop*>(user);
  const auto now = std::chrono::steady_clock::now();
  if (received != hop.received) {
    hop.received = received;
    hop.last_byte = now;
  }
  hop.silent = now - hop.last_byte > hop.silence;
  return *hop.stop || hop.silent ? 1 : 0;
}

std::string Header(const HubHeaders& headers, const std::string& name) {
  const auto it = headers.find(name);
  return it == headers.end() ? "" : it->second;
}

// What the server says went wrong; nothing if that repeats the token.
std::string ServerMessage(const HubAnswer& answer, const std::string& body, const HubToken& token) {
  std::string text = Header(answer.headers, "x-error-message");
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

HubFailure StatusFailure(const HubSettings& s, const HubAnswer& answer, const std::string& body, bool from_hub) {
  const std::string code = Header(answer.headers, "x-error-code");
  const std::string said = ServerMessage(answer, body, s.token);
  const std::string url = WithoutQuery(answer.url);
  const long status = answer.status;
  if (from_hub && (status == 401 || status == 403)) return {AuthError(s, code, said), false, {}};
  if (from_hub && status == 404) return {NotFoundError(s, code, url, said), false, {}};
  // A signed address of the other host runs out; the next try gets a new one.
  const bool transient = status == 408 || status == 429 || (status >= 500 && status != 501) ||
                         (!from_hub && (status == 401 || status == 403));
  return {{ErrorCode::kUnavailable, url, fmt::format("the server answers HTTP {}{}", status, said), kGoesOn},
          transient,
          {}};
}

HubFailure TransferFailure(CURLcode code, const std::string& url, const char* detail) {
  const std::string text = *detail != '\0' ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK: return {{ErrorCode::kCancelled, url, "was stopped", ""}, false, {}};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return {{ErrorCode::kAuth, url, "the server's certificate is not trusted: " + text,
               "for a private hub, set SSL_CERT_FILE to its certificate authority"},
              false,
              {}};
    case CURLE_OUT_OF_MEMORY: return {{ErrorCode::kNoMemory, url, text, ""}, false, {}};
    default:
      return {{ErrorCode::kUnavailable, url, "the connection failed: " + text,
               std::string("check the network; ") + kGoesOn},
              true,
              {}};
  }
}

}  // namespace

struct HubClient::State {
  HubSettings settings;
  std::unique_ptr<CURL, FreeCurl> curl;
  char detail[CURL_ERROR_SIZE] = {};

  void Prepare(const std::string& url, Hop& hop, const HeaderList& headers) {
    CURL* c = curl.get();
    curl_easy_reset(c);
    detail[0] = '\0';
    curl_easy_setopt(c, CURLOPT_URL, url.c_str());
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(c, CURLOPT_USERAGENT, "isoveil");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT,
                     static_cast<long>(std::min(settings.connect_timeout, settings.silence).count()));
    if (!settings.ca_file.empty()) curl_easy_setopt(c, CURLOPT_CAINFO, settings.ca_file.c_str());
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, &OnHeader);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, &hop);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &hop);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, &OnProgress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, &hop);
  }

  // One request without following; fills in hop.answer.
  std::optional<HubFailure> Perform(const HubRequest& request, const std::string& url, Hop& hop) {
    HeaderList headers;
    headers.Add("Accept-Encoding: identity");
    if (request.offset > 0) headers.Add(fmt::format("Range: bytes={}-", request.offset));
    if (request.offset > 0 && !request.if_range.empty()) headers.Add("If-Range: " + request.if_range);
    if (!settings.token.empty() && MayCarryToken(url, settings.endpoint)) {
      headers.Add("Authorization: Bearer " + settings.token.InsecureText());
    }
    Prepare(url, hop, headers);
    const CURLcode code = curl_easy_perform(curl.get());
    if (!hop.status) return HubFailure{std::move(hop.status).error(), false, {}};
    if (hop.silent) {
      return HubFailure{{ErrorCode::kUnavailable, WithoutQuery(url),
                         fmt::format("no byte came for {} s", settings.silence.count()), kGoesOn},
                        true,
                        {}};
    }
    if (code != CURLE_OK) return TransferFailure(code, WithoutQuery(url), detail);
    if (hop.started) return std::nullopt;
    if (const Status status = hop.Start(); !status) return HubFailure{status.error(), false, {}};
    return std::nullopt;
  }
};

HubClient::HubClient(HubSettings settings) : state_(std::make_unique<State>()) {
  state_->settings = std::move(settings);
  state_->curl.reset(curl_easy_init());
}
HubClient::HubClient(HubClient&&) noexcept = default;
HubClient& HubClient::operator=(HubClient&&) noexcept = default;
HubClient::~HubClient() = default;

const HubSettings& HubClient::settings() const { return state_->settings; }

tl::expected<HubAnswer, HubFailure> HubClient::Get(const HubRequest& request, const OnHubStart& on_start,
                                                   const OnHubData& on_data, const std::atomic<bool>& stop) {
  const HubSettings& settings = state_->settings;
  CURL* curl = state_->curl.get();
  if (curl == nullptr)
    return tl::unexpected(HubFailure{{ErrorCode::kNoMemory, "libcurl", "cannot start", ""}, false, {}});
  HubAnswer answer;
  std::string url = request.url;
  for (int hops = 0; hops <= kMaxRedirects; ++hops) {
    answer.url = url;
    answer.headers.clear();
    Hop hop{.curl = curl,
            .answer = &answer,
            .on_start = &on_start,
            .on_data = &on_data,
            .stop = &stop,
            .from_hub = SameOrigin(url, settings.endpoint),
            .silence = settings.silence};
    if (auto failure = state_->Perform(request, url, hop)) return tl::unexpected(*std::move(failure));
    const long status = answer.status;
    if (status >= 200 && status < 300) return answer;
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) {
      HubFailure failure = StatusFailure(settings, answer, hop.error_body, hop.from_hub);
      curl_off_t wait = 0;
      curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
      if (wait > 0) failure.retry_after = std::chrono::seconds(wait);
      return tl::unexpected(std::move(failure));
    }
    Result<std::string> next = FollowRedirect(url, Header(answer.headers, "location"));
    if (!next) return tl::unexpected(HubFailure{std::move(next).error(), false, {}});
    url = *std::move(next);
  }
  return tl::unexpected(HubFailure{{ErrorCode::kUnavailable, WithoutQuery(request.url),
                                    fmt::format("redirects more than {} times", kMaxRedirects), "check the endpoint"},
                                   false,
                                   {}});
}

}  // namespace isoveil
