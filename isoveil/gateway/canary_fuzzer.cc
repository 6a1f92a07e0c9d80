// Any text as the record of a server's answer.
#include <cmath>

#include "isoveil/gateway/generate_canary.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  static const VocabCipher cipher = *VocabCipher::FromPermutation({1, 2, 0});
  const auto canary = ParseCanary({reinterpret_cast<const char*>(data), size}, "canary.json", cipher);
  if (!canary) {
    Require(canary.error().where.starts_with("canary.json"), "errors name the file");
    return 0;
  }
  Require(!canary->steps.empty(), "a record has steps");
  for (const CanaryStep& step : canary->steps) {
    Require(Value(step.id) >= 0, "ids are ids");
    for (const TokenLogprob& token : step.top)
      Require(Value(token.id) >= 0 && std::isfinite(token.logprob), "numbers are finite");
  }
  return 0;
}
