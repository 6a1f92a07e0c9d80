// Opens a stock server by URL.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto server, OpenUpstream({.url = "http://127.0.0.1:8081"}));
//
// A server of another kind is one dialect (dialect.h) and one line here.
#pragma once

#include <memory>
#include <string>

#include "isoveil/base/result.h"
#include "isoveil/engine/http_client.h"
#include "isoveil/engine/upstream.h"

namespace isoveil {

struct UpstreamOptions {
  std::string url;  // "http://host:8081"
  UpstreamKind kind = UpstreamKind::kLlamaServer;
  HttpOptions http;  // timeouts, limits and the server's bearer key
  // Rows of the vocabulary, when the caller knows them: an id outside is refused, in both directions.
  int64_t n_vocab = 0;
};

// Only checks the URL, and connects nowhere.
Result<std::unique_ptr<Upstream>> OpenUpstream(UpstreamOptions options);

}  // namespace isoveil
