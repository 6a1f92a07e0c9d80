#include "isoveil/hub/source_record.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kMaxSize = 64 << 20;

// Of a type, or nothing.
template <typename T>
std::optional<T> Field(const ordered_json& object, std::string_view name) {
  const auto it = object.find(name);
  if (it == object.end()) return std::nullopt;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!it->is_string()) return std::nullopt;
  } else if (!it->is_number_integer()) {
    return std::nullopt;
  }
  return it->template get<T>();
}

std::optional<SourceRecord::File> ParseFile(const ordered_json& entry) {
  if (!entry.is_object()) return std::nullopt;
  const auto path = Field<std::string>(entry, "path");
  const auto size = Field<uint64_t>(entry, "bytes");
  if (!path || !size || !CheckFilePath(*path)) return std::nullopt;
  for (const HashKind kind : {HashKind::kSha256, HashKind::kGitBlob}) {
    if (auto hash = Field<std::string>(entry, HashKindName(kind))) {
      return SourceRecord::File{{*path, *size, kind, *std::move(hash)}, Field<int64_t>(entry, "mtime_ns").value_or(0)};
    }
  }
  return std::nullopt;
}

}  // namespace

const SourceRecord::File* SourceRecord::Find(const HubFile& file) const {
  const auto it = files.find(file.path);
  return it != files.end() && it->second.file == file ? &it->second : nullptr;
}

std::string WriteSourceRecord(const SourceRecord& record) {
  ordered_json files = ordered_json::array();
  for (const auto& [path, entry] : record.files) {
    ordered_json file = {
        {"path", path}, {"bytes", entry.file.size}, {HashKindName(entry.file.hash_kind), entry.file.hash}};
    if (entry.mtime_ns != 0) file["mtime_ns"] = entry.mtime_ns;
    files.push_back(std::move(file));
  }
  const ordered_json text = {{"repository", record.repository}, {"commit", record.commit}, {"files", std::move(files)}};
  return text.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<SourceRecord> ParseSourceRecord(std::string_view text, const Path& path) {
  const auto refuse = [&] {
    return Fail(ErrorCode::kFormat, path.string(), "is not what `isoveil pull` wrote",
                "remove the folder, or choose another with -o");
  };
  const auto root = ParseStrictJson(text, path.string());
  if (!root || !root->is_object() || !root->contains("files") || !(*root)["files"].is_array()) return refuse();
  const auto repository = Field<std::string>(*root, "repository");
  const auto commit = Field<std::string>(*root, "commit");
  if (!repository || !commit) return refuse();
  SourceRecord record{*repository, *commit, {}};
  for (const ordered_json& entry : (*root)["files"]) {
    auto file = ParseFile(entry);
    if (!file) return refuse();
    std::string name = file->file.path;
    record.files.emplace(std::move(name), *std::move(file));
  }
  return record;
}

Result<std::optional<SourceRecord>> ReadSourceRecord(const Path& folder) {
  const Path path = folder / kSourceRecordFile;
  Result<std::string> text = ReadTextFile(path, kMaxSize);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::optional<SourceRecord>();
  if (!text) return tl::unexpected(std::move(text).error());
  ISOVEIL_ASSIGN_OR_RETURN(SourceRecord record, ParseSourceRecord(*text, path));
  return std::optional<SourceRecord>(std::move(record));
}

Status ReplaceSourceRecord(const Path& folder, const SourceRecord& record) {
  const Path path = folder / kSourceRecordFile;
  Path fresh = path;
  fresh += ".new";
  std::error_code ignored;
  std::filesystem::remove(fresh, ignored);
  ISOVEIL_RETURN_IF_ERROR(WriteNewFile(fresh, WriteSourceRecord(record)));
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return tl::unexpected(SystemError(path, "cannot write"));
  return SyncFolder(folder);
}

}  // namespace isoveil
