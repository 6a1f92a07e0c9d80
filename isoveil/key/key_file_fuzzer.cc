// Any text is either a key file with bounded cost of its passphrase, or an error.
#include <cstdlib>

#include "isoveil/key/key_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // The seeds are fixtures: their preamble ends with an empty line.
  const size_t end = text.find("\n\n");
  if (text.starts_with("expect: ") && end != std::string_view::npos) text.remove_prefix(end + 2);
  const auto header = isoveil::ParseKeyFileHeader(text, "input");
  if (!header) return 0;
  using isoveil::KdfCost;
  const bool bounded = header->cost.passes >= 1 && header->cost.passes <= KdfCost::kMaxPasses &&
                       header->cost.memory_bytes >= KdfCost::kMinMemory &&
                       header->cost.memory_bytes <= KdfCost::kMaxMemory;
  if (!bounded || header->key_id.size() != 16 || header->created.size() != 10) std::abort();
  return 0;
}
