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
      {"POST", "/classify", &Classify, PortKind::kLabels},
      {"POST", "/v1/rerank", &Rerank, PortKind::kLabels},
      {"POST", "/v2/rerank", &Rerank, PortKind::kLabels},
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

namespace {

struct Given {
  PortKind port;
  std::string_view what;
  std::string_view where;
};

// What models give, and the endpoint for it.
constexpr Given kGiven[] = {{PortKind::kLogits, "text", "/v1/chat/completions"},
                            {PortKind::kLabels, "labels", "/classify"},
                            {PortKind::kVectors, "embeddings", "/v1/embeddings"}};

// "this model gives labels and embeddings, and no text; use /classify or /v1/embeddings"
std::string WhatItGives(const Ports& ports, PortKind asked) {
  std::string gives, missing, use;
  for (const Given& given : kGiven) {
    if (given.port == asked) {
      missing = given.what;
    } else if (ports.SpaceOf(given.port) != nullptr) {
      gives += fmt::format("{}{}", gives.empty() ? "" : " and ", given.what);
      use += fmt::format("{}{}", use.empty() ? "" : " or ", given.where);
    }
  }
  return fmt::format("this model gives {}, and no {}; use {}", gives, missing, use);
}

}  // namespace

void AnswerAt(const Endpoint& endpoint, const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  const Ports& ports = service.client.manifest.ports;
  if (!endpoint.output || ports.SpaceOf(*endpoint.output) != nullptr) return endpoint.answer(service, request, reply);
  reply.Fail({.status = 400,
              .type = "invalid_request_error",
              .message = WhatItGives(ports, *endpoint.output),
              .param = "model",
              .code = ApiCode::kUnsupported,
              .final = true});
}

}  // namespace isoveil
