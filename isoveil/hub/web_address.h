// What a client may do with the URLs that a person or a server gives it; net/url.h reads them.
//
//   ISOVEIL_ASSIGN_OR_RETURN(std::string endpoint, CheckEndpoint("https://hub.example/"));
//   ISOVEIL_ASSIGN_OR_RETURN(std::string next, FollowRedirect(url, location));
//   if (MayCarryToken(next, endpoint)) ...
//
// Pure functions. URLs hold signatures in their queries: errors show them WithoutQuery.
#pragma once

#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// http or https, a host, perhaps a path; neither user, password, query nor fragment. Without a final slash.
// kInvalidArgument otherwise; a password is never repeated.
Result<std::string> CheckEndpoint(const std::string& text);

// The absolute URL that `location` means at `from`. kUnavailable for what is not http or https, for users and
// passwords, and for a way from https to http.
Result<std::string> FollowRedirect(const std::string& from, const std::string& location);

// The same scheme, host and port.
bool SameOrigin(const std::string& a, const std::string& b);

// True for the endpoint's own origin, and there only over https or to this machine.
bool MayCarryToken(const std::string& url, const std::string& endpoint);

// "https://host/path".
std::string WithoutQuery(const std::string& url);

// The target of rel="next" in a Link header (RFC 8288); empty if there is none.
std::string NextLink(std::string_view header);

}  // namespace isoveil
