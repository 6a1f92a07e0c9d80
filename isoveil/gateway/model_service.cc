#include "isoveil/gateway/model_service.h"

#include <algorithm>

namespace isoveil {
namespace {

constexpr int64_t kUnknownContext = 4096;

}  // namespace

Result<std::vector<PlainId>> ReadPlainIds(const ModelService& service, const char* field, const Json& list) {
  std::vector<PlainId> ids;
  for (const Json& id : list) {
    if (!id.is_number_integer() || id < 0 || id >= static_cast<int64_t>(service.client.vocabulary.n_tokens())) {
      return BadMember(field, "token ids of the model's vocabulary");
    }
    ids.push_back(id.get<PlainId>());
  }
  return ids;
}

Status FitContext(const ModelService& service, const char* field, size_t n_prompt, GenerationOptions& options) {
  const int64_t n_context = service.n_context().value_or(0);
  const auto n = static_cast<int64_t>(n_prompt);
  if (n_context > 0 && n >= n_context) {
    // Clients look for the beginning of OpenAI's sentence.
    return Fail(ErrorCode::kTooLong, field,
                fmt::format("This model's maximum context length is {} tokens. However, the prompt has {} tokens",
                            n_context, n),
                "shorten it");
  }
  const int64_t left = n_context > 0 ? n_context - n : kUnknownContext;
  if (!options.has_max_tokens) options.sampling.max_tokens = static_cast<int32_t>(left);
  if (n_context > 0) options.sampling.max_tokens = std::min(options.sampling.max_tokens, static_cast<int32_t>(left));
  return Ok();
}

}  // namespace isoveil
