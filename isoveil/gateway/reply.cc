#include "isoveil/gateway/reply.h"

#include "isoveil/base/strict_json.h"

namespace isoveil {

Result<Json> ParseBody(const ApiRequest& request, int max_depth) {
  std::string_view text = request.body;
  if (constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF"; text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  Result<Json> json = ParseStrictJson(text, "body", max_depth);
  if (!json) {
    // Where it breaks is told, what stands there is not.
    return isoveil::Fail(ErrorCode::kInvalidArgument, "body", "expected well-formed JSON without repeated names");
  }
  if (!json->is_object()) return BadMember("body", "a JSON object");
  return json;
}

}  // namespace isoveil
