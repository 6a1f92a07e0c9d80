// One file from the hub to the disk: taken up where it ended, checked as it streams.
#pragma once

#include <cstdint>
#include <functional>

#include "isoveil/base/file.h"
#include "isoveil/hub/hub_client.h"
#include "isoveil/hub/repo.h"

namespace isoveil {

struct Download {
  std::string url;     // .../resolve/COMMIT/PATH
  std::string commit;  // what the hub must say that it serves
  HubFile file;
  Path path;       // where the content grows; bytes that are there already are its beginning
  Path etag_path;  // remembers the entity tag of an unfinished file across runs
};

// Called with the number of bytes that came, or below zero for bytes that have to come again.
using OnBytes = std::function<void(int64_t)>;

// Asks for what is missing by Range and If-Range, and again from the start if the server sends the whole file
// or if what was put together does not have the file's hash. When it returns, the file is complete, has the
// size and hash of `download.file`, and is synced.
//
// kMismatch if the server has another commit, size or content; kNoSpace if the disk is full, and then what
// came so far is kept; kUnavailable after enough retries.
Status DownloadFile(HubClient& client, const Download& download, const RetryPolicy& policy, const OnBytes& on_bytes,
                    const std::stop_token& stop);

// Whether the file at `path` has the size and hash of `file`; kNotFound if it is not there.
Result<bool> HasContent(const Path& path, const HubFile& file);

}  // namespace isoveil
