// Any bytes as a page of a hub's file list, and the choice among its files: no path leaves the folder, no program is
// chosen, and the sum of the sizes is one.
#include "isoveil/hub/choose.h"
#include "isoveil/hub/listing.h"
#include "tests/fuzz/require.h"

namespace isoveil {
namespace {

void CheckChoice(const Result<FileChoice>& choice) {
  if (!choice) {
    Require(!choice.error().where.empty() && !choice.error().problem.empty(), "errors say where and what");
    return;
  }
  uint64_t most = 0;
  for (const HubFile& file : choice->files) {
    Require(CheckFilePath(file.path).has_value(), "paths stay in the folder");
    Require(!file.path.ends_with(".bin") && !file.path.ends_with(".pt"), "no pickle is chosen");
    most = std::max(most, file.size);
  }
  Require(choice->bytes >= most && (choice->files.size() != 1 || choice->bytes == most), "sizes add up");
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  const auto files = ParseTreePage({reinterpret_cast<const char*>(data), size});
  if (!files) return 0;
  CheckChoice(ChooseFiles(*files, {}));
  CheckChoice(ChooseFiles(*files, {"*Q4_K_M*"}));
  return 0;
}
