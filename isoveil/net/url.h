// Web addresses: the one parser, strict, so that what is checked is what is connected to.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Url server, Url::ParseBase("http://gpu:8081/v2/", "upstream URL"));    // path "/v2"
//   ISOVEIL_ASSIGN_OR_RETURN(Url next, url.Resolve(location));                                      // of a redirect
//
// Printable ASCII alone; no user, no password, no fragment. Queries may hold signatures: errors show addresses
// WithoutQuery, and a text that holds a password is never repeated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

struct Url {
  bool tls = false;  // https, else http
  std::string host;  // in lower case; without the brackets of an IPv6 address
  uint16_t port = 0;
  std::string path;   // "" or "/v2"
  std::string query;  // "" or "?a=b"

  // kInvalidArgument, of `what`, says what is not as above.
  static Result<Url> Parse(std::string_view text, std::string_view what);
  // The address of a server, to which paths are appended: without a query, and without slashes at its end.
  static Result<Url> ParseBase(std::string_view text, std::string_view what);

  // What `reference` means at this address (RFC 3986, section 5.2); its fragment is cut off. Errors as Parse.
  Result<Url> Resolve(std::string_view reference) const;

  // The same scheme, host and port.
  bool HasOriginOf(const Url& other) const { return tls == other.tls && host == other.host && port == other.port; }

  std::string Origin() const;        // "https://host", with the port if it is not the scheme's own
  std::string WithoutQuery() const;  // "https://host/path"
  std::string ToString() const { return WithoutQuery() + query; }

  bool operator==(const Url&) const = default;
};

// Percent-encodes all but letters, digits and "-._~", and '/' if `keep_slashes`.
std::string PercentEncode(std::string_view text, bool keep_slashes);

}  // namespace isoveil
