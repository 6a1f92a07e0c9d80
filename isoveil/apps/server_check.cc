#include "isoveil/apps/server_check.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "isoveil/base/folder.h"
#include "isoveil/base/strict_json.h"
#include "isoveil/transform/identity.h"

namespace isoveil {
namespace {

using nlohmann::json;

constexpr const char* kEncryptAgain = "encrypt again, or fetch the folder that was encrypted";

tl::unexpected<Error> Differs(std::string where, std::string problem) {
  return Fail(ErrorCode::kMismatch, std::move(where), std::move(problem), kEncryptAgain);
}

Status CheckFile(const Path& path, const FileHash& expected) {
  if (!FileExists(path)) return Differs(path.string(), "is missing");
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t bytes, FileSize(path));
  if (bytes != expected.bytes) {
    return Differs(path.string(), fmt::format("expected {} bytes, found {}", expected.bytes, bytes));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string hash, TreeHash(path, 0));
  if (hash == expected.tree_hash) return Ok();
  return Differs(path.string(), "its content is not what encryption wrote");
}

// What a person is shown of two values that differ: the values, or where lists part.
template <typename T>
std::string Shown(const T& value) {
  if constexpr (std::is_same_v<T, std::string>)
    return Quoted(value);
  else
    return fmt::format("{}", value);
}

template <typename T>
std::string Shown(const std::vector<T>& values, size_t at) {
  if (at >= values.size()) return fmt::format("{} values", values.size());
  return fmt::format("{} at place {} of {}", Shown(static_cast<T>(values[at])), at, values.size());
}

template <typename T>
std::string Difference(const T& expected, const T& found) {
  return fmt::format("expected {}, found {}", Shown(expected), Shown(found));
}

template <typename T>
std::string Difference(const std::vector<T>& expected, const std::vector<T>& found) {
  size_t at = 0;
  while (at < expected.size() && at < found.size() && expected[at] == found[at]) ++at;
  return fmt::format("expected {}, found {}", Shown(expected, at), Shown(found, at));
}

std::string Difference(const GgufValue& expected, const GgufValue& found) {
  return std::visit(
      [&](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if (!std::holds_alternative<T>(found)) return "has another type than expected";
        return Difference(value, std::get<T>(found));
      },
      expected);
}

Status CheckMetadata(const std::string& file, const GgufMetadata& expected, const GgufMetadata& found) {
  for (const auto& [key, value] : expected) {
    const GgufValue* there = found.Find(key);
    if (there == nullptr) return Differs(fmt::format("{}: {}", file, key), "is missing");
    if (*there != value) return Differs(fmt::format("{}: {}", file, key), Difference(value, *there));
  }
  for (const auto& [key, value] : found) {
    if (key.starts_with("split.") || expected.Find(key) != nullptr) continue;
    return Differs(fmt::format("{}: {}", file, key), "encryption does not write this key");
  }
  return Ok();
}

Status CheckText(const Path& path, const std::string& expected) {
  if (!FileExists(path)) return Differs(path.string(), "is missing");
  ISOVEIL_ASSIGN_OR_RETURN(const std::string found, ReadTextFile(path));
  if (found == expected) return Ok();
  const auto written = ParseStrictJson(expected, path.string());
  const auto there = ParseStrictJson(found, path.string());
  if (written && there && written->is_object() && there->is_object()) {
    const json left = *written, right = *there;  // their order means nothing
    const auto brief = [](const json& object, const std::string& name) {
      const std::string text = object.contains(name) ? object[name].dump(-1, ' ', true, json::error_handler_t::replace)
                                                     : std::string("nothing");
      return text.size() > 80 ? text.substr(0, 80) + "..." : text;
    };
    json both = left;
    both.update(right);
    for (const auto& [name, value] : both.items()) {
      if (left.contains(name) && right.contains(name) && left[name] == right[name]) continue;
      return Differs(fmt::format("{}: {}", path.string(), name),
                     fmt::format("expected {}, found {}", brief(left, name), brief(right, name)));
    }
  }
  return Differs(path.string(), "its content is not what encryption writes");
}

}  // namespace

Status CheckServerFiles(const Path& server, const Manifest& manifest) {
  std::set<std::string> known;
  for (const FileHash& file : manifest.server_files) {
    ISOVEIL_RETURN_IF_ERROR(CheckFile(server / file.name, file));
    known.insert(file.name);
  }
  for (const std::string& name : FilesBelow(server)) {
    if (name.starts_with(".") || known.contains(name)) continue;
    return Fail(ErrorCode::kMismatch, (server / name).string(), "encryption did not write this file",
                "take it out of the folder: servers may read it");
  }
  return Ok();
}

Status CheckServerDescription(const Path& server, const PlannedEncryption& planned, const RootKey& root) {
  ISOVEIL_ASSIGN_OR_RETURN(const ServerFiles expected, DescribeEncryption(planned, root));
  for (const TextFile& text : expected.texts) ISOVEIL_RETURN_IF_ERROR(CheckText(server / text.name, text.text));
  if (!planned.plan.target->RunsOnLlamaCpp()) return Ok();
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(server));
  return CheckMetadata(checkpoint.shards().front().path.string(), expected.gguf, checkpoint.gguf()->metadata());
}

}  // namespace isoveil
