// ".isoveil-source.json" in a pulled folder: where its files are from.
//
// While a folder is under construction the record tells which content its partial files are the beginning of;
// afterwards it is the model's provenance, and with the files' times it saves hashing gigabytes again.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/hub/repo.h"

namespace isoveil {

inline constexpr const char* kSourceRecordFile = ".isoveil-source.json";

struct SourceRecord {
  struct File {
    HubFile file;
    int64_t mtime_ns = 0;  // 0 until the file is complete
  };

  std::string repository;
  std::string commit;
  std::map<std::string, File> files;  // by path

  // The recorded file, if its content is that of `file`.
  const File* Find(const HubFile& file) const;
};

std::string WriteSourceRecord(const SourceRecord& record);
// kFormat if it is malformed.
Result<SourceRecord> ParseSourceRecord(std::string_view text, const Path& path);

// Nothing if the folder has none.
Result<std::optional<SourceRecord>> ReadSourceRecord(const Path& folder);
// Replaces the folder's record in one step.
Status ReplaceSourceRecord(const Path& folder, const SourceRecord& record);

}  // namespace isoveil
