#include "isoveil/gateway/endpoint.h"

namespace isoveil {

std::span<const Endpoint> Endpoints() {
  static constexpr Endpoint kEndpoints[] = {
      {"POST", "/v1/chat/completions", &ChatCompletions},
      {"POST", "/v1/completions", &Completions},
      {"POST", "/v1/responses", &Responses},
      {"GET", "/v1/responses/{id}", &GetResponse},
      {"DELETE", "/v1/responses/{id}", &DeleteResponse},
      {"POST", "/v1/messages", &Messages, ErrorForm::kAnthropic},
      {"POST", "/v1/messages/count_tokens", &CountMessageTokens, ErrorForm::kAnthropic},
      {"POST", "/v1/embeddings", &Embeddings},
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

}  // namespace isoveil
