#include "isoveil/engine/upstream_factory.h"

#include <atomic>
#include <mutex>

#include "isoveil/base/strict_json.h"
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

Result<UpstreamKind> AskKind(const HttpClient& client, const std::stop_token& cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string body, client.Get("/v1/models", cancel));
  const auto answer = ParseStrictJson(body, "/v1/models");
  const nlohmann::ordered_json* models = answer ? FieldOrNull(*answer, "data") : nullptr;
  std::string owner;
  if (models != nullptr && models->is_array() && !models->empty()) owner = TextOrEmpty(models->front(), "owned_by");
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

namespace {

// For signs of life: a server that cannot say its model's name within seconds is away.
HttpOptions WatchOptions(HttpOptions options) {
  options.connect_timeout = std::chrono::seconds(2);
  options.read_timeout = options.write_timeout = std::chrono::seconds(3);
  options.max_response_bytes = 1 << 20;
  return options;
}

Result<std::unique_ptr<Upstream>> Open(const UpstreamOptions& options, UpstreamKind kind) {
  ISOVEIL_ASSIGN_OR_RETURN(HttpClient client, HttpClient::Create(options.url, options.http));
  ISOVEIL_ASSIGN_OR_RETURN(HttpWatch watch, HttpWatch::Create(options.url, WatchOptions(options.http)));
  return NewHttpUpstream(std::move(client), std::move(watch), NewDialect(kind, options.cache_salt), options.n_vocab);
}

// A server whose kind is asked for when it is there, and again when it has come back as another.
class LateUpstream : public Upstream {
 public:
  LateUpstream(UpstreamOptions options, HttpClient asking) : options_(std::move(options)), asking_(std::move(asking)) {}

  Result<UpstreamInfo> Probe(std::stop_token cancel) override {
    ISOVEIL_ASSIGN_OR_RETURN(const auto server, Known(cancel));
    return server->Probe(cancel);
  }
  Result<Contact> Look(std::stop_token cancel) override {
    ISOVEIL_ASSIGN_OR_RETURN(const auto server, Known(cancel));
    Result<Contact> contact = server->Look(cancel);
    if (contact) {
      contact->facts += fmt::format("\n{}", n_known_);
    } else {
      Forget(server);
    }
    return contact;
  }
  bool Stands(const Contact& contact) const override {
    const auto server = Current();
    return server && server->Stands(contact);
  }
  Result<GenerateResult> Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                  std::stop_token cancel) override {
    ISOVEIL_ASSIGN_OR_RETURN(const auto server, Known(cancel));
    return server->Generate(request, on_token, cancel);
  }
  Result<std::vector<GeneratedToken>> Score(std::span<const WireId> ids, int32_t n_top,
                                            std::stop_token cancel) override {
    ISOVEIL_ASSIGN_OR_RETURN(const auto server, Known(cancel));
    return server->Score(ids, n_top, cancel);
  }
  Result<std::vector<float>> Embed(std::span<const WireId> ids, std::stop_token cancel) override {
    ISOVEIL_ASSIGN_OR_RETURN(const auto server, Known(cancel));
    return server->Embed(ids, cancel);
  }

 private:
  std::shared_ptr<Upstream> Current() const {
    const std::lock_guard lock(mutex_);
    return server_;
  }
  Result<std::shared_ptr<Upstream>> Known(const std::stop_token& cancel) {
    if (auto server = Current()) return server;
    ISOVEIL_ASSIGN_OR_RETURN(const UpstreamKind kind, AskKind(asking_, cancel));
    ISOVEIL_ASSIGN_OR_RETURN(std::shared_ptr<Upstream> server, Open(options_, kind));
    const std::lock_guard lock(mutex_);
    if (!server_) {
      server_ = std::move(server);
      ++n_known_;
    }
    return server_;
  }
  void Forget(const std::shared_ptr<Upstream>& server) {
    const std::lock_guard lock(mutex_);
    if (server_ == server) server_.reset();
  }

  const UpstreamOptions options_;
  const HttpClient asking_;
  mutable std::mutex mutex_;
  std::shared_ptr<Upstream> server_;
  std::atomic<int> n_known_ = 0;  // how often it was met: its connections are counted anew each time
};

}  // namespace

Result<std::unique_ptr<Upstream>> OpenUpstream(UpstreamOptions options) {
  if (options.kind) return Open(options, *options.kind);
  ISOVEIL_ASSIGN_OR_RETURN(HttpClient asking, HttpClient::Create(options.url, WatchOptions(options.http)));
  return std::make_unique<LateUpstream>(std::move(options), std::move(asking));
}

}  // namespace isoveil
