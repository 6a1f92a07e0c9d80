#include "isoveil/engine/upstream.h"

#include <cmath>

namespace isoveil {
namespace {

Status CheckId(WireId id, int64_t n_vocab, std::string_view field) {
  if (Value(id) >= 0 && (n_vocab == 0 || Value(id) < n_vocab)) return Ok();
  return Fail(ErrorCode::kInvalidArgument, std::string(field), "an id lies outside the vocabulary",
              "the request belongs to another model");
}

Status Require(bool holds, std::string_view field, std::string_view expected) {
  if (holds) return Ok();
  return Fail(ErrorCode::kInvalidArgument, std::string(field), fmt::format("expected {}", expected));
}

}  // namespace

std::string_view UpstreamKindName(UpstreamKind kind) {
  switch (kind) {
    case UpstreamKind::kLlamaServer: return "llama-server";
    case UpstreamKind::kVllm: return "vllm";
    case UpstreamKind::kSglang: return "sglang";
  }
  return "unknown";
}

std::string_view FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kCancelled: return "cancelled";
  }
  return "unknown";
}

Status CheckRequest(const GenerateRequest& request, int64_t n_vocab) {
  const SamplingParams& s = request.sampling;
  ISOVEIL_RETURN_IF_ERROR(Require(!request.prompt.empty(), "prompt", "at least one id"));
  for (const WireId id : request.prompt) ISOVEIL_RETURN_IF_ERROR(CheckId(id, n_vocab, "prompt"));
  for (const WireId id : request.stop_ids) ISOVEIL_RETURN_IF_ERROR(CheckId(id, n_vocab, "stop_ids"));
  for (const auto& [id, bias] : request.logit_bias) {
    ISOVEIL_RETURN_IF_ERROR(CheckId(id, n_vocab, "logit_bias"));
    ISOVEIL_RETURN_IF_ERROR(Require(!std::isnan(bias) && bias < INFINITY, "logit_bias", "numbers below infinity"));
  }
  ISOVEIL_RETURN_IF_ERROR(Require(s.max_tokens >= 1, "max_tokens", "at least 1"));
  ISOVEIL_RETURN_IF_ERROR(
      Require(s.temperature >= 0 && std::isfinite(s.temperature), "temperature", "a number of at least 0"));
  ISOVEIL_RETURN_IF_ERROR(Require(s.top_p > 0 && s.top_p <= 1, "top_p", "a number above 0, at most 1"));
  ISOVEIL_RETURN_IF_ERROR(Require(s.top_k >= 0, "top_k", "at least 0"));
  ISOVEIL_RETURN_IF_ERROR(Require(s.min_p >= 0 && s.min_p < 1, "min_p", "a number of at least 0, below 1"));
  ISOVEIL_RETURN_IF_ERROR(Require(std::isfinite(s.presence_penalty), "presence_penalty", "a number"));
  ISOVEIL_RETURN_IF_ERROR(Require(std::isfinite(s.frequency_penalty), "frequency_penalty", "a number"));
  ISOVEIL_RETURN_IF_ERROR(
      Require(s.repeat_penalty > 0 && std::isfinite(s.repeat_penalty), "repeat_penalty", "a number above 0"));
  return Require(s.n_probs >= 0 && s.n_probs <= 100, "n_probs", "0 to 100");
}

}  // namespace isoveil
