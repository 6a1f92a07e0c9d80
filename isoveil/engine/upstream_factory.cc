#include "isoveil/engine/upstream_factory.h"

#include "isoveil/engine/http_upstream.h"
#include "isoveil/engine/llama_server.h"

namespace isoveil {

Result<std::unique_ptr<Upstream>> OpenUpstream(UpstreamOptions options) {
  ISOVEIL_ASSIGN_OR_RETURN(HttpClient client, HttpClient::Create(options.url, std::move(options.http)));
  switch (options.kind) {
    case UpstreamKind::kLlamaServer:
      return NewHttpUpstream(std::move(client), LlamaServerDialect(), options.n_vocab);
  }
  return Fail(ErrorCode::kUnsupported, options.url, "the kind of server is not known");
}

}  // namespace isoveil
