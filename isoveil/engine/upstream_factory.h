// Opens a stock server by URL.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto server, OpenUpstream({.url = "http://127.0.0.1:8081"}));
//
// Without a kind, GET /v1/models tells which engine it is: all three name themselves there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"
#include "isoveil/engine/server_kind.h"
#include "isoveil/net/http_client.h"

namespace isoveil {

struct UpstreamOptions {
  std::string url;                   // "http://host:8081", "https://host/prefix"
  const ServerKind* kind = nullptr;  // null: asked from the server
  HttpOptions http;                  // timeouts, limits and the server's bearer key
  // Rows of the vocabulary, when the caller knows them: an id outside is refused, in both directions.
  int64_t n_vocab = 0;
  // Random text that keeps other users of a shared server from sensing a cached prefix (vLLM only;
  // ignored elsewhere). Must be drawn at random, and tell nothing.
  std::string cache_salt;
};

// Only checks the URL, and connects nowhere. Without a kind the server is asked when it is first used, and again after
// it has been away: its calls give kUnsupported if it is none of the known ones.
Result<std::unique_ptr<Upstream>> OpenUpstream(UpstreamOptions options);

}  // namespace isoveil
