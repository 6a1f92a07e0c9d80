#include "isoveil/tokenizer/chat_examples.h"

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

constexpr uint64_t kMaxFile = 64 << 10;
constexpr size_t kMaxExamples = 8;
constexpr size_t kMaxBytes = 500;

}  // namespace

Result<std::vector<std::string>> ReadChatExamples(const Path& folder) {
  const Path path = folder / kChatExamplesFile;
  std::vector<std::string> examples;
  if (!FileExists(path)) return examples;
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxFile));
  ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json json, ParseStrictJson(text, path.string()));
  const auto refuse = [&](const std::string& found) {
    return Fail(ErrorCode::kFormat, path.string(),
                fmt::format("expected an array of at most {} strings of 1 to {} bytes, found {}", kMaxExamples,
                            kMaxBytes, found),
                "correct the file or remove it");
  };
  if (!json.is_array()) return refuse(fmt::format("a JSON {}", json.type_name()));
  if (json.size() > kMaxExamples) return refuse(fmt::format("{} entries", json.size()));
  for (const auto& entry : json) {
    if (!entry.is_string()) return refuse(fmt::format("a JSON {} in it", entry.type_name()));
    const std::string& example = entry.get_ref<const std::string&>();
    if (example.empty() || example.size() > kMaxBytes)
      return refuse(fmt::format("a string of {} bytes", example.size()));
    examples.push_back(example);
  }
  return examples;
}

}  // namespace isoveil
