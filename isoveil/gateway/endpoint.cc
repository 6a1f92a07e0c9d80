#include "isoveil/gateway/endpoint.h"

namespace isoveil {

std::span<const Endpoint> Endpoints() {
  static constexpr Endpoint kEndpoints[] = {
      {"POST", "/v1/chat/completions", &ChatCompletions, PortKind::kLogits},
      {"POST", "/v1/completions", &Completions, PortKind::kLogits},
      {"POST", "/v1/responses", &Responses, PortKind::kLogits},
      {"GET", "/v1/responses/{id}", &GetResponse},
      {"DELETE", "/v1/responses/{id}", &DeleteResponse},
      {"POST", "/v1/messages", &Messages, PortKind::kLogits, ErrorForm::kAnthropic},
      {"POST", "/v1/messages/count_tokens", &CountMessageTokens, PortKind::kLogits, ErrorForm::kAnthropic},
      {"POST", "/v1/embeddings", &Embeddings, PortKind::kVectors},
      {"GET", "/v1/models", &ListModels},
      {"GET", "/v1/models/{id}", &GetModel},
      {"POST", "/tokenize", &Tokenize},
      {"POST", "/detokenize", &Detokenize},
      {.method = "GET", .path = "/health", .answer = &Health, .is_open = true, .is_look = true},
      {.method = "GET", .path = "/isoveil/status", .answer = &ShowStatus, .is_look = true},
      {.method = "GET", .path = "/metrics", .answer = &ShowMetrics, .is_look = true, .is_for_metrics = true},
  };
  return kEndpoints;
}

void AnswerAt(const Endpoint& endpoint, const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  if (!endpoint.output || service.client.manifest.ports.SpaceOf(*endpoint.output) != nullptr) {
    return endpoint.answer(service, request, reply);
  }
  reply.Fail({.status = 400,
              .type = "invalid_request_error",
              .message = endpoint.output == PortKind::kVectors
                             ? "this model generates text and gives no embeddings"
                             : "this model gives embeddings and writes no text; use /v1/embeddings",
              .param = "model",
              .code = ApiCode::kUnsupported,
              .final = true});
}

}  // namespace isoveil
