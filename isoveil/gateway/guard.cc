#include "isoveil/gateway/guard.h"

#include <algorithm>
#include <chrono>

namespace isoveil {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return lower;
}

// "name" of "name", "name:80" and "[::1]:80".
std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

Hash256 HashOf(std::string_view text) {
  Hasher hasher;
  hasher.Update(text);
  return hasher.Finish();
}

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

ApiError Forbidden(std::string message, ApiCode code) {
  return {.status = 403, .type = "permission_error", .message = std::move(message), .code = code};
}

ApiError TooMany(std::string message, int retry_after) {
  return {.status = 429,
          .type = "rate_limit_error",
          .message = std::move(message),
          .code = ApiCode::kRateLimitExceeded,
          .retry_after_seconds = retry_after};
}

}  // namespace

bool IsLoopback(std::string_view host) {
  // A name such as 127.example.org is not an address.
  const bool numeric = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host == "::1" || host == "[::1]" || (numeric && host.starts_with("127."));
}

Guard::Guard(GuardOptions options) : options_(std::move(options)) {
  for (const std::string& key : options_.api_keys) key_hashes_.push_back(HashOf(key));
  options_.api_keys.clear();
  if (options_.host != "0.0.0.0" && options_.host != "::") options_.allowed_hosts.push_back(options_.host);
  for (std::string& host : options_.allowed_hosts) host = Lower(host);
  for (std::string& origin : options_.allowed_origins) origin = Lower(origin);
}

Result<Guard> Guard::Create(GuardOptions options) {
  if (!IsLoopback(options.host) && options.api_keys.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--host " + options.host,
                "would let everybody on the network use the model and your key",
                "give --api-key-file, or stay on 127.0.0.1");
  }
  for (const std::string& key : options.api_keys) {
    if (key.size() < 16) {
      return Fail(ErrorCode::kInvalidArgument, "API key", "expected at least 16 characters",
                  "make one: head -c 24 /dev/urandom | base64");
    }
  }
  return Guard(std::move(options));
}

std::optional<ApiError> Guard::CheckPlace(const Caller& caller) const {
  const std::string host = Lower(caller.host);
  const std::string port = fmt::format(":{}", options_.port);
  const auto is_listed = [&](const std::string& listed) { return host == listed || host == listed + port; };
  const std::string name(WithoutPort(host));
  const bool local = IsLoopback(name) && (host == name || host == name + port);
  if (!local && std::none_of(options_.allowed_hosts.begin(), options_.allowed_hosts.end(), is_listed)) {
    return Forbidden("the Host header names another machine; add it with --allowed-host if it is this one",
                     ApiCode::kHostNotAllowed);
  }
  const std::string origin = Lower(caller.origin);
  if (!origin.empty()) {
    const bool own = origin == "http://" + host || origin == "https://" + host;
    if (!own && !IsListedOrigin(caller)) {
      return Forbidden("pages of another origin may not use this gateway", ApiCode::kOriginNotAllowed);
    }
  } else if (caller.fetch_site == "cross-site") {
    return Forbidden("pages of another origin may not use this gateway", ApiCode::kOriginNotAllowed);
  }
  return std::nullopt;
}

bool Guard::IsListedOrigin(const Caller& caller) const {
  const auto& list = options_.allowed_origins;
  return std::find(list.begin(), list.end(), Lower(caller.origin)) != list.end();
}

std::optional<ApiError> Guard::CheckKey(const Caller& caller, size_t* who) const {
  *who = 0;
  if (key_hashes_.empty()) return std::nullopt;
  constexpr std::string_view kScheme = "bearer ";
  const std::string scheme = Lower(caller.authorization.substr(0, kScheme.size()));
  // Hashes of equal length are compared, all of them, whatever is given.
  const Hash256 given = HashOf(scheme == kScheme ? caller.authorization.substr(kScheme.size()) : "");
  bool known = false;
  for (size_t i = 0; i < key_hashes_.size(); ++i) {
    if (ConstantTimeEqual(key_hashes_[i], given)) {
      known = true;
      *who = i;
    }
  }
  if (known) return std::nullopt;
  return ApiError{
      .status = 401,
      .type = "authentication_error",
      .message = "the API key is missing or wrong; send it as \"Authorization: Bearer KEY\" or \"x-api-key: KEY\"",
      .code = ApiCode::kInvalidApiKey};
}

tl::expected<Guard::Slot, ApiError> Guard::Enter(size_t who) {
  const std::lock_guard lock(state_->mutex);
  Use& use = state_->uses[who];
  if (use.running >= options_.max_concurrent) {
    return tl::unexpected(TooMany(fmt::format("{} requests of this key are running", use.running), 1));
  }
  if (options_.max_per_minute > 0) {
    const int64_t now = NowMs();
    const double most = options_.max_per_minute;
    if (use.filled_ms == 0)
      use.tokens = most;
    else
      use.tokens = std::min(most, use.tokens + most * static_cast<double>(now - use.filled_ms) / 60'000.0);
    use.filled_ms = now;
    if (use.tokens < 1) {
      const int wait = 1 + static_cast<int>((1 - use.tokens) * 60 / most);
      return tl::unexpected(TooMany(fmt::format("more than {} requests a minute", options_.max_per_minute), wait));
    }
    use.tokens -= 1;
  }
  ++use.running;
  return Slot(nullptr, [state = state_, who](void*) {
    const std::lock_guard guard(state->mutex);
    --state->uses[who].running;
  });
}

}  // namespace isoveil
