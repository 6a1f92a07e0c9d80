// The values of "code" in errors: all that clients, and the chat page's table of sentences, need to know.
#pragma once

#include <string_view>

namespace isoveil {

#define ISOVEIL_API_CODES(CODE)                                     \
  /* The request. */                                                \
  CODE(kBadRequest, "bad_request")                                  \
  CODE(kBodyTooLarge, "body_too_large")                             \
  CODE(kContextLengthExceeded, "context_length_exceeded")           \
  CODE(kInvalidValue, "invalid_value")                              \
  CODE(kMethodNotAllowed, "method_not_allowed")                     \
  CODE(kModelNotFound, "model_not_found")                           \
  CODE(kNotFound, "not_found")                                      \
  CODE(kUnsupported, "unsupported")                                 \
  CODE(kUnsupportedContentEncoding, "unsupported_content_encoding") \
  /* The caller. */                                                 \
  CODE(kHostNotAllowed, "host_not_allowed")                         \
  CODE(kInvalidApiKey, "invalid_api_key")                           \
  CODE(kOriginNotAllowed, "origin_not_allowed")                     \
  CODE(kRateLimitExceeded, "rate_limit_exceeded")                   \
  /* The model and its servers. */                                  \
  CODE(kAnswerNotAsRequired, "answer_not_as_required")              \
  CODE(kUpstreamGarbled, "upstream_garbled")                        \
  CODE(kUpstreamMismatch, "upstream_mismatch")                      \
  CODE(kUpstreamRefused, "upstream_refused")                        \
  CODE(kUpstreamUnavailable, "upstream_unavailable")                \
  /* The gateway. */                                                \
  CODE(kCancelled, "cancelled")                                     \
  CODE(kInternalError, "internal_error")

#define ISOVEIL_NAME_ONLY(name, text) name,
enum class ApiCode { ISOVEIL_API_CODES(ISOVEIL_NAME_ONLY) };
#undef ISOVEIL_NAME_ONLY

[[nodiscard]] constexpr std::string_view ApiCodeName(ApiCode code) {
#define ISOVEIL_TEXT_ONLY(name, text) text,
  constexpr std::string_view kNames[] = {ISOVEIL_API_CODES(ISOVEIL_TEXT_ONLY)};
#undef ISOVEIL_TEXT_ONLY
  return kNames[static_cast<int>(code)];
}

}  // namespace isoveil
