#include "isoveil/gateway/text_inputs.h"

namespace isoveil {
namespace {

bool IsIds(const Json& value) { return value.is_array() && !value.empty() && value.front().is_number(); }

Result<std::vector<PlainId>> ReadInput(const ModelService& service, const Json& input, TokenizeOptions options) {
  if (IsIds(input)) return ReadPlainIds(service, "input", input);
  if (!input.is_string()) return BadMember("input", "a string, token ids, or a list of those");
  const auto& text = input.get_ref<const std::string&>();
  if (text.empty()) return BadMember("input", "texts that are not empty");
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<PlainId> ids, service.client.vocabulary.Tokenize(text, options));
  if (ids.empty()) return BadMember("input", "at least one token of text");
  return ids;
}

}  // namespace

Result<std::vector<std::vector<PlainId>>> ReadInputs(const ModelService& service, const Json& input,
                                                     TokenizeOptions options) {
  const Json list = input.is_array() && !input.empty() && !IsIds(input) ? input : Json::array({input});
  if (list.size() > kMaxInputs) return BadMember("input", fmt::format("at most {} inputs", kMaxInputs));
  std::vector<std::vector<PlainId>> inputs;
  for (const Json& entry : list) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<PlainId> ids, ReadInput(service, entry, options));
    ISOVEIL_RETURN_IF_ERROR(FitsContext(service, "input", ids));
    inputs.push_back(std::move(ids));
  }
  return inputs;
}

Status FitsContext(const ModelService& service, const char* field, const std::vector<PlainId>& ids) {
  const int64_t n_context = service.n_context().value_or(0);
  if (n_context <= 0 || static_cast<int64_t>(ids.size()) <= n_context) return Ok();
  return Fail(ErrorCode::kTooLong, field,
              fmt::format("This model's maximum context length is {} tokens. However, an input has {} tokens",
                          n_context, ids.size()),
              "shorten it");
}

size_t CountIds(const std::vector<std::vector<PlainId>>& inputs) {
  size_t n = 0;
  for (const auto& ids : inputs) n += ids.size();
  return n;
}

}  // namespace isoveil
