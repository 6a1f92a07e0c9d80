// An upstream over HTTP: sends what a dialect writes, checks what comes back, and counts.
#pragma once

#include "isoveil/engine/dialect.h"
#include "isoveil/engine/http_client.h"

namespace isoveil {

// Checks ids against `n_vocab` in both directions; 0 leaves the upper bound open. `watch` is a second way to the same
// server, for signs of life; its limits of time are those of Look. Safe for concurrent calls.
std::unique_ptr<Upstream> NewHttpUpstream(HttpClient client, HttpWatch watch, std::unique_ptr<Dialect> dialect,
                                          int64_t n_vocab);

}  // namespace isoveil
