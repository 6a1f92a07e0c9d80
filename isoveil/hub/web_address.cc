#include "isoveil/hub/web_address.h"

#include <algorithm>

#include "isoveil/net/url.h"

namespace isoveil {
namespace {

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "127.0.0.1" || host == "::1"; }

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
  ISOVEIL_ASSIGN_OR_RETURN(const Url url, Url::ParseBase(text, "endpoint"));
  return url.ToString();
}

Result<std::string> FollowRedirect(const std::string& from, const std::string& location) {
  const auto refuse = [&](std::string why) {
    return Fail(ErrorCode::kUnavailable, WithoutQuery(from), std::move(why), "");
  };
  const auto url = Url::Parse(from, "URL");
  if (!url || location.empty()) return refuse("redirects to nowhere");
  const auto next = url->Resolve(location);
  if (!next) return refuse("redirects to what is no http or https URL: " + next.error().problem);
  if (url->tls && !next->tls) {
    return refuse("redirects from https to http, where anybody on the way can read and change the file");
  }
  return next->ToString();
}

bool SameOrigin(const std::string& a, const std::string& b) {
  const auto x = Url::Parse(a, "URL");
  const auto y = Url::Parse(b, "URL");
  return x && y && x->HasOriginOf(*y);
}

bool MayCarryToken(const std::string& url, const std::string& endpoint) {
  const auto parsed = Url::Parse(url, "URL");
  return parsed && SameOrigin(url, endpoint) && (parsed->tls || IsLoopback(parsed->host));
}

std::string WithoutQuery(const std::string& url) { return url.substr(0, url.find_first_of("?#")); }

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
