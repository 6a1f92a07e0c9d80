#include "isoveil/engine/upstream_factory.h"

#include <atomic>
#include <mutex>

#include "isoveil/base/strict_json.h"
#include "isoveil/engine/http_upstream.h"
#include "isoveil/engine/json_fields.h"

namespace isoveil {
namespace {

Result<const ServerKind*> AskKind(const HttpClient& client, const std::stop_token& cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string body, client.Get("/v1/models", cancel));
  const auto answer = ParseStrictJson(body, "/v1/models");
  const nlohmann::ordered_json* models = answer ? FieldOrNull(*answer, "data") : nullptr;
  std::string owner;
  if (models != nullptr && models->is_array() && !models->empty()) owner = TextOrEmpty(models->front(), "owned_by");
  for (const ServerKind* kind : ServerKinds()) {
    if (owner == kind->owner) return kind;
  }
  return Fail(ErrorCode::kUnsupported, client.url().ToString() + "/v1/models",
              fmt::format("expected the owner to be 'llamacpp', 'vllm' or 'sglang', found {}", Quoted(owner)),
              "name the kind of the server, if it is one of them");
}

// For signs of life: a server that cannot say its model's name within seconds is away.
HttpOptions WatchOptions(HttpOptions options) {
  options.connect_timeout = std::chrono::seconds(2);
  options.read_timeout = options.write_timeout = std::chrono::seconds(3);
  options.max_response_bytes = 1 << 20;
  return options;
}

Result<std::unique_ptr<Upstream>> Open(const UpstreamOptions& options, const ServerKind& kind) {
  ISOVEIL_ASSIGN_OR_RETURN(HttpClient client, HttpClient::Create(options.url, options.http));
  ISOVEIL_ASSIGN_OR_RETURN(HttpWatch watch, HttpWatch::Create(options.url, WatchOptions(options.http)));
  return NewHttpUpstream(std::move(client), std::move(watch), kind, options.cache_salt, options.n_vocab);
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
  Status Run(Task& task, std::stop_token cancel, const TaskWatch& watch) override {
    ISOVEIL_ASSIGN_OR_RETURN(const auto server, Known(cancel));
    return server->Run(task, cancel, watch);
  }

 private:
  std::shared_ptr<Upstream> Current() const {
    const std::lock_guard lock(mutex_);
    return server_;
  }
  Result<std::shared_ptr<Upstream>> Known(const std::stop_token& cancel) {
    if (auto server = Current()) return server;
    ISOVEIL_ASSIGN_OR_RETURN(const ServerKind* kind, AskKind(asking_, cancel));
    ISOVEIL_ASSIGN_OR_RETURN(std::shared_ptr<Upstream> server, Open(options_, *kind));
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
  if (options.kind != nullptr) return Open(options, *options.kind);
  ISOVEIL_ASSIGN_OR_RETURN(HttpClient asking, HttpClient::Create(options.url, WatchOptions(options.http)));
  return std::make_unique<LateUpstream>(std::move(options), std::move(asking));
}

}  // namespace isoveil
