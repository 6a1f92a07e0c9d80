// GET /health, /isoveil/status and /metrics: the gateway itself.
#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/metrics.h"
#include "isoveil/gateway/upstream_pool.h"

namespace isoveil {

void Health(const ModelService& service, const ApiRequest&, ReplyWriter& reply) {
  const bool ready = service.pool->n_ready() > 0;
  reply.Send(ready ? 200 : 503, Json{{"status", ready ? "ok" : "unavailable"}}.dump(), "application/json");
}

void ShowStatus(const ModelService& service, const ApiRequest&, ReplyWriter& reply) {
  const Manifest& manifest = service.client.manifest;
  const ServerState state = service.pool->state();
  const auto kind = service.pool->kind();
  const auto n_context = service.n_context();
  reply.SendJson({{"key_id", manifest.key_id},
                  {"profile", ProfileName(manifest.profile)},
                  {"model", service.name},
                  {"server", ServerStateName(state)},
                  {"model_match", state != ServerState::kWrong},
                  {"upstream", {{"kind", kind ? Json(*kind) : Json(nullptr)}, {"url", service.upstream_url}}},
                  {"n_vocab", manifest.n_vocab()},
                  {"n_context", n_context ? Json(*n_context) : Json(nullptr)},
                  {"chat", service.chat.has_value()},
                  {"examples", service.client.examples},
                  {"version", ISOVEIL_VERSION}});
}

void ShowMetrics(const ModelService& service, const ApiRequest&, ReplyWriter& reply) {
  reply.Send(200, service.metrics->Text(service.pool->n_ready()), "text/plain; version=0.0.4");
}

}  // namespace isoveil
