// A format and an answer, apart by a line "---": an answer that passes passes also as what is extracted from it, and no
// schema takes the stack or longer than the limit.
#include "isoveil/base/strict_json.h"
#include "isoveil/gateway/answer_check.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kBetween = "\n---\n";
  const size_t end = text.find(kBetween);
  if (end == std::string_view::npos) return 0;
  const auto format = ParseStrictJson(text.substr(0, end), "format");
  if (!format) return 0;
  const auto check = AnswerCheck::FromFormat(*format, "response_format");
  if (!check) return 0;
  const std::string answer(text.substr(end + kBetween.size()));
  const std::string extracted = check->Extract(answer);
  Require(answer.find(extracted) != std::string::npos, "what is extracted stands in the answer");
  if (!check->Problem(answer, false).empty() || !check->active()) return 0;
  Require(check->Problem(extracted, false).empty(), "what is extracted passes as well");
  Require(ParseStrictJson(extracted, "answer").has_value(), "what passes is JSON");
  return 0;
}
