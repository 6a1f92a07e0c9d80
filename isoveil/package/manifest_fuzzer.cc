// Any text as a manifest: what is read, written and read again is the same, and its ids are ids of the vocabulary.
#include "isoveil/package/manifest.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  const auto manifest = Manifest::Parse({reinterpret_cast<const char*>(data), size}, "manifest.json");
  if (!manifest) {
    Require(!manifest.error().where.empty() && !manifest.error().problem.empty(), "errors say where and what");
    return 0;
  }
  for (const PlainId id : manifest->end_of_generation) {
    Require(Value(id) >= 0 && static_cast<uint64_t>(id) < manifest->n_vocab(), "ends are ids of the vocabulary");
  }
  const std::string written = manifest->ToJson();
  const auto again = Manifest::Parse(written, "again");
  Require(again.has_value(), "what is written can be read");
  Require(again->ToJson() == written, "and is the same");
  return 0;
}
