// Errors as OpenAI's and Anthropic's clients understand them.
//
//   return ToApiError(error).ToJson();
//   // {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
//   return ToApiError(error).ToJson(ErrorForm::kAnthropic);
//   // {"type": "error", "error": {"type": ..., "message": ...}}
//
// Messages name fields and limits; they never hold a part of a prompt or an answer.
// Source: the error object of OpenAI's API description; status codes that its clients retry: 408, 409, 429, 5xx.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"
#include "isoveil/gateway/api_code.h"

namespace isoveil {

// Whose clients read it.
enum class ErrorForm { kOpenAi, kAnthropic };

struct ApiError {
  int status = 500;
  std::string type = "server_error";
  std::string message;
  std::optional<std::string> param = std::nullopt;
  std::optional<ApiCode> code = std::nullopt;
  // Sent as "retry-after"; absent where a retry would not help.
  std::optional<int> retry_after_seconds = std::nullopt;
  // Sent as "x-should-retry: false": the same request would fail in the same way.
  bool final = false;

  nlohmann::ordered_json ToJson(ErrorForm form = ErrorForm::kOpenAi) const;
};

// kInvalidArgument, kUnsupported and kTooLong are the client's (400, `where` is the field), kNotFound 404, a server
// that is away 503, one that answers nonsense or refuses the gateway 502, a model that does not answer as it must 502,
// kCancelled 499; all else is the gateway's own (500).
ApiError ToApiError(const Error& error);

}  // namespace isoveil
