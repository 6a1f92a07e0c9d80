// Any text as JSON and as the index of a sharded folder: strict JSON accepts only what nlohmann's own parser
// accepts, as the same document, and an index names only files of its folder.
#include "isoveil/base/strict_json.h"
#include "isoveil/format/hf_index.h"
#include "tests/fuzz/require.h"

namespace isoveil {
namespace {

void Check(std::string_view text) {
  const auto json = ParseStrictJson(text, "fuzz");
  if (json) {
    const auto lenient = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
    Require(!lenient.is_discarded(), "strict is no laxer than lenient");
    Require(lenient == *json, "both see the same document");
  }
  const auto index = ParseHfIndex(text, "fuzz");
  if (!index) {
    Require(!index.error().where.empty() && !index.error().problem.empty(), "errors say where and what");
    return;
  }
  Require(json.has_value(), "an index is strict JSON");
  for (const auto& [tensor, shard] : index->shard_of) {
    Require(!tensor.empty(), "tensors have names");
    Require(shard.find('/') == std::string::npos && shard.find('\0') == std::string::npos, "no shard leaves");
  }
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  isoveil::Check(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
