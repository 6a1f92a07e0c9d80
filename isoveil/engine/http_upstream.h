// An upstream over HTTP: runs tasks in a kind of server's dialects, and finds out what the server has.
#pragma once

#include "isoveil/engine/server_kind.h"
#include "isoveil/net/http_client.h"

namespace isoveil {

// Checks ids against `n_vocab` in both directions; 0 leaves the upper bound open. `watch` is a second way to the same
// server, for signs of life; its limits of time are those of Look. Safe for concurrent calls.
std::unique_ptr<Upstream> NewHttpUpstream(HttpClient client, HttpWatch watch, const ServerKind& kind,
                                          std::string cache_salt, int64_t n_vocab);

}  // namespace isoveil
