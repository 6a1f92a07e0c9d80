#include "isoveil/engine/upstream_factory.h"

#include "isoveil/engine/http_upstream.h"
#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/llama_server.h"
#include "isoveil/engine/sglang.h"
#include "isoveil/engine/vllm.h"

namespace isoveil {
namespace {

// What each kind calls itself in `owned_by`.
std::optional<UpstreamKind> KindOfOwner(std::string_view owner) {
  if (owner == "llamacpp") return UpstreamKind::kLlamaServer;
  if (owner == "vllm") return UpstreamKind::kVllm;
  if (owner == "sglang") return UpstreamKind::kSglang;
  return std::nullopt;
}

Result<UpstreamKind> AskKind(const HttpClient& client) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string body, client.Get("/v1/models"));
  const auto answer = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  const nlohmann::json* models = FieldOrNull(answer, "data");
  std::string owner;
  if (models != nullptr && models->is_array() && !models->empty())
    owner = TextOrEmpty(models->front(), "owned_by");
  const std::optional<UpstreamKind> kind = KindOfOwner(owner);
  if (kind) return *kind;
  return Fail(ErrorCode::kUnsupported, client.url().ToString() + "/v1/models",
              fmt::format("expected the owner to be 'llamacpp', 'vllm' or 'sglang', found {}", Quoted(owner)),
              "name the kind of the server, if it is one of them");
}

std::unique_ptr<Dialect> NewDialect(UpstreamKind kind, std::string cache_salt) {
  switch (kind) {
    case UpstreamKind::kLlamaServer: return LlamaServerDialect();
    case UpstreamKind::kVllm: return VllmDialect(std::move(cache_salt));
    case UpstreamKind::kSglang: return SglangDialect();
  }
  return nullptr;
}

}  // namespace

Result<std::optional<UpstreamKind>> ParseUpstreamKind(std::string_view name) {
  if (name == "auto") return std::nullopt;
  if (name == "llamacpp") return UpstreamKind::kLlamaServer;
  for (const UpstreamKind kind : {UpstreamKind::kLlamaServer, UpstreamKind::kVllm, UpstreamKind::kSglang}) {
    if (name == UpstreamKindName(kind)) return kind;
  }
  return Fail(ErrorCode::kInvalidArgument, "kind of upstream",
              fmt::format("expected auto, llama-server, vllm or sglang, found {}", Quoted(name)));
}

Result<std::unique_ptr<Upstream>> OpenUpstream(UpstreamOptions options) {
  ISOVEIL_ASSIGN_OR_RETURN(HttpClient client, HttpClient::Create(options.url, std::move(options.http)));
  if (!options.kind) {
    ISOVEIL_ASSIGN_OR_RETURN(options.kind, AskKind(client));
  }
  return NewHttpUpstream(std::move(client), NewDialect(*options.kind, std::move(options.cache_salt)),
                         options.n_vocab);
}

}  // namespace isoveil
