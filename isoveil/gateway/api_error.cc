#include "isoveil/gateway/api_error.h"

namespace isoveil {
namespace {

std::string Sentence(const Error& error) {
  std::string text = error.where.empty() ? error.problem : error.Message();
  if (!error.hint.empty()) text += "; " + error.hint;
  return text;
}

ApiError OfRequest(const Error& error, int status, ApiCode code) {
  return {.status = status,
          .type = "invalid_request_error",
          .message = Sentence(error),
          .param = error.where.empty() ? std::nullopt : std::optional(error.where),
          .code = code,
          .final = true};
}

ApiError OfUpstream(const Error& error, int status, ApiCode code, std::optional<int> retry) {
  return {.status = status,
          .type = "upstream_error",
          .message = "the model's server: " + Sentence(error),
          .code = code,
          .retry_after_seconds = retry};
}

// Anthropic's clients tell errors apart by this type, and compact a conversation on the words "prompt is too long".
nlohmann::ordered_json AnthropicForm(const ApiError& error) {
  const auto type = [&] {
    switch (error.status) {
      case 401: return "authentication_error";
      case 403: return "permission_error";
      case 404: return "not_found_error";
      case 413: return "request_too_large";
      case 429: return "rate_limit_error";
      case 503: return "overloaded_error";
      default: return error.status < 500 ? "invalid_request_error" : "api_error";
    }
  };
  const char* const begin = error.code == ApiCode::kContextLengthExceeded ? "prompt is too long: " : "";
  return {{"type", "error"}, {"error", {{"type", type()}, {"message", begin + error.message}}}};
}

}  // namespace

nlohmann::ordered_json ApiError::ToJson(ErrorForm form) const {
  if (form == ErrorForm::kAnthropic) return AnthropicForm(*this);
  const auto or_null = [](const auto& text) -> nlohmann::ordered_json {
    return text ? nlohmann::ordered_json(*text) : nlohmann::ordered_json(nullptr);
  };
  const auto code_name = code ? std::optional(ApiCodeName(*code)) : std::nullopt;
  return {{"error", {{"message", message}, {"type", type}, {"param", or_null(param)}, {"code", or_null(code_name)}}}};
}

ApiError ToApiError(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument: return OfRequest(error, 400, ApiCode::kInvalidValue);
    case ErrorCode::kUnsupported: return OfRequest(error, 400, ApiCode::kUnsupported);
    case ErrorCode::kNotFound: return OfRequest(error, 404, ApiCode::kNotFound);
    case ErrorCode::kTooLong: return OfRequest(error, 400, ApiCode::kContextLengthExceeded);
    case ErrorCode::kUnfulfilled:
      return {.status = 502,
              .type = "model_error",
              .message = Sentence(error),
              .code = ApiCode::kAnswerNotAsRequired,
              .final = true};
    case ErrorCode::kUnavailable: return OfUpstream(error, 503, ApiCode::kUpstreamUnavailable, 1);
    case ErrorCode::kAuth: return OfUpstream(error, 502, ApiCode::kUpstreamRefused, std::nullopt);
    case ErrorCode::kFormat: return OfUpstream(error, 502, ApiCode::kUpstreamGarbled, std::nullopt);
    case ErrorCode::kMismatch: return OfUpstream(error, 502, ApiCode::kUpstreamMismatch, std::nullopt);
    case ErrorCode::kCancelled:
      return {.status = 499, .message = "the request was cancelled", .code = ApiCode::kCancelled};
    default: return {.status = 500, .message = Sentence(error), .code = ApiCode::kInternalError};
  }
}

}  // namespace isoveil
