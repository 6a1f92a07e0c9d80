#include "isoveil/engine/upstream.h"

namespace isoveil {

Status CheckSentId(WireId id, int64_t n_vocab, std::string_view field) {
  if (Value(id) >= 0 && (n_vocab == 0 || Value(id) < n_vocab)) return Ok();
  return Fail(ErrorCode::kInvalidArgument, std::string(field), "an id lies outside the vocabulary",
              "the request belongs to another model");
}

Status CheckPrompt(std::span<const WireId> ids, int64_t n_vocab) {
  if (ids.empty()) return Fail(ErrorCode::kInvalidArgument, "prompt", "expected at least one id");
  for (const WireId id : ids) ISOVEIL_RETURN_IF_ERROR(CheckSentId(id, n_vocab, "prompt"));
  return Ok();
}

}  // namespace isoveil
