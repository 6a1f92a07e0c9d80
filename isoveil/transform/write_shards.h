// Writes the shards of a plan: one job per target tensor, in parallel, resumable, in bounded memory.
//
//   ISOVEIL_ASSIGN_OR_RETURN(WriteReport report,
//                            WriteShards(plan, gguf, actions, "out.partial/server", journal, options));
//
// Every shard is laid out first and its space reserved, so that a full disk is found before any work.
// The largest tensors go first, so that no thread is left with one at the end.
#pragma once

#include <atomic>
#include <functional>

#include "isoveil/base/file.h"
#include "isoveil/transform/axis_actions.h"
#include "isoveil/transform/target.h"

namespace isoveil {

struct WriteOptions {
  unsigned threads = 0;
  uint64_t memory = 256 << 20;
  const Checkpoint* source = nullptr;  // pages of what was read of it are given back as tensors pass
  std::function<void(uint64_t done, uint64_t total)> progress;
  const std::atomic<bool>* cancel = nullptr;
};

struct WriteReport {
  uint64_t tensors = 0;
  uint64_t resumed = 0;
};

// Where finished tensors are noted, and what makes an earlier note valid.
struct JournalPlace {
  Path path;
  std::string fingerprint;
};

// `gguf` is the header's metadata of GGUF shards, without split keys. The shards are not synced.
Result<WriteReport> WriteShards(const Plan& plan, const GgufMetadata& gguf, const AxisActions& actions,
                                const Path& folder, const JournalPlace& place, const WriteOptions& options);

// Waits until all shards are on the disk, which takes no processor: something else can be done meanwhile.
Status SyncShards(const Plan& plan, const Path& folder);

// Opens a written shard with its format's reader and compares its tensors; kMismatch names the first
// difference.
Status CheckShard(const Path& path, const Target& target, std::vector<TensorInfo> expected);

}  // namespace isoveil
