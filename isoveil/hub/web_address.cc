#include "isoveil/hub/web_address.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

namespace isoveil {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

UrlHandle ParseUrl(const std::string& text) {
  UrlHandle url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return nullptr;
  return url;
}

// The port is the scheme's own if the URL has none.
std::string UrlPart(const UrlHandle& url, CURLUPart part) {
  char* text = nullptr;
  const unsigned flags = part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK || text == nullptr) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

bool HasAny(const UrlHandle& url, std::initializer_list<CURLUPart> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](CURLUPart part) { return !UrlPart(url, part).empty(); });
}

bool IsHttp(const std::string& scheme) { return scheme == "http" || scheme == "https"; }

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "127.0.0.1" || host == "[::1]"; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether the parameters of one link, `; rel="next"; ...`, name the relation.
bool IsNext(std::string_view parameters) {
  while (!parameters.empty()) {
    const size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = Trim(parameters.substr(0, end));
    if (parameter == "rel=\"next\"" || parameter == "rel=next") return true;
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return false;
}

}  // namespace

Result<std::string> CheckEndpoint(const std::string& text) {
  const auto refuse = [](const char* why) {
    return Fail(ErrorCode::kInvalidArgument, "endpoint", why, "write https://HOST, with a port or path if need be");
  };
  const UrlHandle url = ParseUrl(text);
  if (url == nullptr || !IsHttp(UrlPart(url, CURLUPART_SCHEME))) return refuse("is not an http or https URL");
  if (HasAny(url, {CURLUPART_USER, CURLUPART_PASSWORD})) return refuse("holds a user or password");
  if (HasAny(url, {CURLUPART_QUERY, CURLUPART_FRAGMENT})) return refuse("holds a query or fragment");
  std::string endpoint = UrlPart(url, CURLUPART_URL);
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

Result<std::string> FollowRedirect(const std::string& from, const std::string& location) {
  const auto refuse = [&](std::string why) {
    return Fail(ErrorCode::kUnavailable, WithoutQuery(from), std::move(why), "");
  };
  const UrlHandle url = ParseUrl(from);
  if (url == nullptr || location.empty()) return refuse("redirects to nowhere");
  const std::string scheme = UrlPart(url, CURLUPART_SCHEME);
  if (curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK ||
      !IsHttp(UrlPart(url, CURLUPART_SCHEME))) {
    return refuse("redirects to what is not an http or https URL");
  }
  if (HasAny(url, {CURLUPART_USER, CURLUPART_PASSWORD})) return refuse("redirects to a URL with a password");
  if (scheme == "https" && UrlPart(url, CURLUPART_SCHEME) == "http") {
    return refuse("redirects from https to http, where anybody on the way can read and change the file");
  }
  return UrlPart(url, CURLUPART_URL);
}

bool SameOrigin(const std::string& a, const std::string& b) {
  const UrlHandle x = ParseUrl(a);
  const UrlHandle y = ParseUrl(b);
  if (x == nullptr || y == nullptr) return false;
  return UrlPart(x, CURLUPART_SCHEME) == UrlPart(y, CURLUPART_SCHEME) &&
         Lower(UrlPart(x, CURLUPART_HOST)) == Lower(UrlPart(y, CURLUPART_HOST)) &&
         UrlPart(x, CURLUPART_PORT) == UrlPart(y, CURLUPART_PORT);
}

bool MayCarryToken(const std::string& url, const std::string& endpoint) {
  const UrlHandle parsed = ParseUrl(url);
  return parsed != nullptr && SameOrigin(url, endpoint) &&
         (UrlPart(parsed, CURLUPART_SCHEME) == "https" || IsLoopback(Lower(UrlPart(parsed, CURLUPART_HOST))));
}

std::string WithoutQuery(const std::string& url) { return url.substr(0, url.find_first_of("?#")); }

std::string PercentEncode(std::string_view text, bool keep_slashes) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos || (keep_slashes && c == '/')) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string NextLink(std::string_view header) {
  while (!header.empty()) {
    const size_t open = header.find('<');
    const size_t close = header.find('>', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return "";
    const std::string_view target = header.substr(open + 1, close - open - 1);
    header.remove_prefix(close + 1);
    // A comma inside of quotes belongs to a parameter.
    size_t end = 0;
    bool quoted = false;
    while (end < header.size() && (quoted || header[end] != ',')) quoted ^= header[end++] == '"';
    if (IsNext(header.substr(0, end))) return std::string(target);
    header.remove_prefix(end);
  }
  return "";
}

}  // namespace isoveil
