#include "isoveil/net/url.h"

#include <algorithm>
#include <charconv>

namespace isoveil {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHostByte(char c) { return IsLetter(c) || IsDigit(c) || c == '.' || c == '-' || c == '_'; }
bool IsAddressByte(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || IsDigit(c) || c == ':' || c == '.';
}
bool IsPathByte(char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '\\'; }
bool IsQueryByte(char c) { return c > ' ' && c < 0x7f && c != '#'; }

template <typename Predicate>
bool All(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

auto Bad(std::string_view what, std::string problem) {
  return Fail(ErrorCode::kInvalidArgument, std::string(what), std::move(problem),
              "write http://HOST:PORT or https://HOST, with a path if need be, for example http://127.0.0.1:8081");
}

// "https" of "https://host", in lower case; empty if there is none (RFC 3986, section 3.1).
std::string SchemeOf(std::string_view text) {
  const std::string_view scheme =
      text.substr(0, text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU"
                                            "VWXYZ0123456789+-."));
  const bool is_scheme = !scheme.empty() && IsLetter(scheme.front()) && text.substr(scheme.size()).starts_with(':');
  return is_scheme ? Lower(scheme) : "";
}

// Splits "host:port" or "[v6]:port"; the port is empty if there is none.
bool SplitAuthority(std::string_view authority, std::string_view* host, std::string_view* port) {
  const size_t end = authority.find(':');
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

uint16_t DefaultPort(bool tls) { return tls ? 443 : 80; }

// "." and ".." are taken out; what would lead above the root stays at it (section 5.2.4).
std::string WithoutDots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view part = path.substr(0, end);  // with its slash
    path.remove_prefix(end);
    const bool is_up = part == "/..";
    if (is_up) out.resize(out.empty() ? 0 : out.rfind('/'));
    if (!is_up && part != "/.") {
      out += part;
    } else if (path.empty()) {
      out += '/';
    }
  }
  return out;
}

}  // namespace

Result<Url> Url::Parse(std::string_view text, std::string_view what) {
  const std::string scheme = SchemeOf(text);
  if ((scheme != "http" && scheme != "https") || !text.substr(scheme.size()).starts_with("://")) {
    return Bad(what, "does not begin with http:// or https://");
  }
  Url url;
  url.tls = scheme == "https";
  text.remove_prefix(scheme.size() + 3);
  const size_t begin_of_path = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, begin_of_path);
  if (authority.find('@') != std::string_view::npos) {
    return Bad(what, "holds a user name or password; a server's key is given by its own option");
  }
  std::string_view host;
  std::string_view port;
  if (!SplitAuthority(authority, &host, &port)) {
    return Bad(what, "expected a host name or address, found " + Quoted(authority));
  }
  url.port = DefaultPort(url.tls);
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port == 0) {
      return Bad(what, "expected a port from 1 to 65535, found " + Quoted(port));
    }
  }
  text.remove_prefix(begin_of_path);
  const size_t begin_of_query = std::min(text.find('?'), text.size());
  if (!All(text.substr(0, begin_of_query), IsPathByte) || !All(text.substr(begin_of_query), IsQueryByte)) {
    return Bad(what, "the path or query holds a fragment or a forbidden character");
  }
  url.host = Lower(host);
  url.path = text.substr(0, begin_of_query);
  url.query = text.substr(begin_of_query);
  return url;
}

Result<Url> Url::ParseBase(std::string_view text, std::string_view what) {
  ISOVEIL_ASSIGN_OR_RETURN(Url url, Parse(text, what));
  if (!url.query.empty()) return Bad(what, "holds a query");
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

Result<Url> Url::Resolve(std::string_view reference) const {
  reference = reference.substr(0, reference.find('#'));
  const std::string what = WithoutQuery();
  if (!SchemeOf(reference).empty()) return Parse(reference, what);
  if (reference.starts_with("//")) return Parse((tls ? "https:" : "http:") + std::string(reference), what);
  const size_t begin_of_query = std::min(reference.find('?'), reference.size());
  const std::string_view there = reference.substr(0, begin_of_query);
  std::string whole = Origin();
  if (there.empty()) {
    whole += path;
  } else if (there.front() == '/') {
    whole += WithoutDots(there);
  } else {
    whole += WithoutDots((path.empty() ? "/" : path.substr(0, path.rfind('/') + 1)) + std::string(there));
  }
  whole += reference.empty() ? query : reference.substr(begin_of_query);
  return Parse(whole, what);
}

std::string Url::Origin() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}{}", tls ? "https" : "http", v6 ? "[" : "", host, v6 ? "]" : "",
                     port == DefaultPort(tls) ? "" : fmt::format(":{}", port));
}

std::string Url::WithoutQuery() const { return Origin() + path; }

std::string PercentEncode(std::string_view text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = IsLetter(c) || IsDigit(c) || std::string_view("-._~").find(c) != std::string_view::npos;
    if (is_plain || (keep_slashes && c == '/')) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace isoveil
