#include <charconv>

#include "isoveil/engine/http_client.h"

namespace isoveil {
namespace {

constexpr bool kTls =
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
    true;
#else
    false;
#endif

auto BadUrl(std::string problem) {
  return Fail(ErrorCode::kInvalidArgument, "upstream URL", std::move(problem),
              "write http://HOST:PORT, for example http://127.0.0.1:8081");
}

bool IsHostByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool IsAddressByte(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

bool IsPathByte(char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '\\'; }

template <typename Predicate>
bool All(std::string_view text, Predicate predicate) {
  for (char c : text) {
    if (!predicate(c)) return false;
  }
  return true;
}

// Splits "host:port" or "[v6]:port"; the port is empty if there is none.
bool SplitAuthority(std::string_view authority, std::string_view* host, std::string_view* port) {
  size_t end = authority.find(':');
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return false;
    *host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
    if (!All(*host, IsAddressByte)) return false;
    if (!authority.empty() && authority.front() != ':') return false;
    *port = authority.empty() ? "" : authority.substr(1);
    return !host->empty() && (authority.empty() || !port->empty());
  }
  *host = authority.substr(0, end);
  *port = end == std::string_view::npos ? "" : authority.substr(end + 1);
  return !host->empty() && All(*host, IsHostByte) && (end == std::string_view::npos || !port->empty());
}

}  // namespace

Result<Url> Url::Parse(std::string_view text) {
  Url url;
  if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else if (text.starts_with("https://")) {
    text.remove_prefix(8);
    url.tls = true;
  } else {
    return BadUrl("does not begin with http:// or https://");
  }
  const size_t slash = text.find_first_of("/?#");
  const std::string_view authority = text.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? "" : text.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    return BadUrl("holds a user name or password; a server's key is given by its own option");
  }
  std::string_view host;
  std::string_view port;
  if (!SplitAuthority(authority, &host, &port)) {
    return BadUrl("expected a host name or address, found " + Quoted(authority));
  }
  url.port = url.tls ? 443 : 80;
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port == 0) {
      return BadUrl("expected a port from 1 to 65535, found " + Quoted(port));
    }
  }
  if (!All(path, IsPathByte)) return BadUrl("the path holds a query, a fragment or a forbidden character");
  while (path.ends_with('/')) path.remove_suffix(1);
  if (url.tls && !kTls) {
    return Fail(ErrorCode::kUnsupported, "upstream URL", "https is not in this build",
                "install libssl-dev and build again, or reach the server through a tunnel (ssh -L)");
  }
  url.host = host;
  url.prefix = path;
  return url;
}

std::string Url::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}{}", tls ? "https" : "http", v6 ? "[" : "", host, v6 ? "]" : "", port, prefix);
}

}  // namespace isoveil
