#include "isoveil/transform/write_shards.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "isoveil/base/mapping_guard.h"
#include "isoveil/base/parallel.h"
#include "isoveil/tensor/computed.h"
#include "isoveil/transform/journal.h"
#include "isoveil/transform/quick_hash.h"
#include "isoveil/transform/weight_job.h"

namespace isoveil {
namespace {

// The file of an interrupted run if it has the right size, else a new one.
Result<OutputFile> OpenShard(const Path& path, uint64_t size) {
  if (Result<OutputFile> left = OutputFile::Reopen(path, size)) return left;
  ::unlink(path.c_str());
  return OutputFile::Create(path, size);
}

struct OpenedShard {
  OutputFile file;
  MappedFile written;  // the same file, to read back what is in it
  FileLayout layout;
};

Result<std::vector<OpenedShard>> OpenShards(const Plan& plan, const GgufMetadata& gguf, const Path& folder) {
  std::vector<OpenedShard> opened;
  for (size_t i = 0; i < plan.shards.size(); ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(FileLayout layout, plan.target->LayOut(plan, i, gguf));
    ISOVEIL_ASSIGN_OR_RETURN(OutputFile file, OpenShard(folder / plan.shards[i].file, layout.size));
    ISOVEIL_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(layout.header))));
    ISOVEIL_ASSIGN_OR_RETURN(MappedFile written, MappedFile::Open(file.path()));
    opened.push_back({std::move(file), std::move(written), std::move(layout)});
  }
  return opened;
}

struct TensorJob {
  const TensorPlan* tensor;
  const OutputFile* file;
  const MappedFile* written;
  uint64_t offset;  // of the tensor in the file
  uint64_t bytes;
};

std::vector<TensorJob> ListJobs(const Plan& plan, const std::vector<OpenedShard>& shards) {
  std::vector<TensorJob> jobs;
  for (size_t s = 0; s < shards.size(); ++s) {
    for (size_t t = 0; t < plan.shards[s].tensors.size(); ++t) {
      const TensorPlan& tensor = plan.shards[s].tensors[t];
      jobs.push_back({&tensor, &shards[s].file, &shards[s].written, shards[s].layout.offsets[t],
                      *TensorBytes(tensor.info.type, tensor.info.shape)});
    }
  }
  return jobs;
}

std::vector<size_t> LargestFirst(const std::vector<TensorJob>& jobs) {
  std::vector<size_t> order(jobs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return jobs[a].bytes > jobs[b].bytes; });
  return order;
}

// One pass over a tensor of the source: what it holds, and that a model can run on it. The pages that the work will
// gather from are in memory afterwards.
Status ReadSource(const TensorView& tensor, QuickHash& hash) {
  constexpr uint64_t kChunk = 1 << 20;  // stays in the second-level cache between the two readers
  const uint64_t step = kChunk / BlockBytes(tensor.info.type) * BlockBytes(tensor.info.type);
  for (uint64_t begin = 0; begin < tensor.bytes.size(); begin += step) {
    const auto chunk = tensor.bytes.subspan(begin, std::min<uint64_t>(step, tensor.bytes.size() - begin));
    hash.Update(chunk);
    const auto bad = FindNonFinite(tensor.info.type, chunk);
    if (!bad) continue;
    return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(tensor.info.name)),
                fmt::format("element {} of {} is infinite or not a number: the model answers nothing with it",
                            begin / BlockBytes(tensor.info.type) * BlockSize(tensor.info.type) + *bad,
                            ShapeName(tensor.info.shape)),
                "the checkpoint is damaged: fetch or export it again");
  }
  return Ok();
}

class ShardWriter {
 public:
  ShardWriter(const Plan& plan, const AxisActions& actions, Path scratch, const WriteOptions& options, uint64_t total)
      : plan_(plan),
        actions_(actions),
        scratch_folder_(std::move(scratch)),
        options_(options),
        total_(total),
        scratch_bytes_(options.memory / ThreadCount(options.threads)) {}

  void Count(uint64_t bytes) {
    const uint64_t done = done_ += bytes;
    if (options_.progress) options_.progress(done, total_);
  }

  // Of what the job reads and of what lies in its place now.
  Result<std::string> HashSource(const TensorJob& job) const {
    QuickHash hash;
    hash.Update(std::as_bytes(std::span(job.tensor->literal)));
    for (const TensorView* source : SourcesOf(job)) {
      for (const TensorView& stored : StoredParts(*source)) ISOVEIL_RETURN_IF_ERROR(ReadSource(stored, hash));
    }
    ISOVEIL_RETURN_IF_ERROR(CheckMappings());
    return hash.Hex();
  }
  // A checkpoint that is larger than memory must not push out what others need.
  void ReleasePages(const TensorJob& job) const {
    job.written->Release(job.offset, job.bytes);
    if (options_.source == nullptr) return;
    for (const TensorView* source : SourcesOf(job)) {
      for (const TensorView& stored : StoredParts(*source)) options_.source->Release(stored);
    }
  }
  static std::string HashWritten(const TensorJob& job) {
    QuickHash hash;
    hash.Update(job.written->bytes().subspan(job.offset, job.bytes));
    return hash.Hex();
  }

  Status Write(const TensorJob& job, PanelScratch& scratch) {
    const PanelWriter write = [&](uint64_t offset, std::span<const std::byte> bytes) -> Status {
      ISOVEIL_RETURN_IF_ERROR(job.file->WriteAt(job.offset + offset, bytes));
      Count(bytes.size());
      return Ok();
    };
    if (job.tensor->parts.empty()) return WriteValues(job.tensor->info.type, job.tensor->literal, 0, write);
    const std::vector<PartPlan> parts = PartsOf(job);
    ISOVEIL_ASSIGN_OR_RETURN(const TensorSources sources,
                             TensorSources::Open(*plan_.model, parts, scratch_folder_, options_.cancel));
    for (const PartPlan& part : parts) ISOVEIL_RETURN_IF_ERROR(WritePart(sources, part, scratch, write));
    return Ok();
  }

 private:
  std::vector<PartPlan> PartsOf(const TensorJob& job) const {
    std::vector<PartPlan> parts;
    for (const PartPlan& part : job.tensor->parts) parts.push_back(Arriving(plan_.model->graph, actions_, part));
    return parts;
  }

  // Each once, though a tensor may hold many parts.
  std::vector<const TensorView*> SourcesOf(const TensorJob& job) const {
    std::vector<const TensorView*> all;
    for (const PartPlan& part : PartsOf(job)) {
      if (part.weight->constant) continue;
      for (const TensorView* source : isoveil::SourcesOf(*plan_.model, part)) {
        if (std::find(all.begin(), all.end(), source) == all.end()) all.push_back(source);
      }
    }
    return all;
  }

  static Status WriteValues(DType type, std::span<const float> values, uint64_t offset, const PanelWriter& write) {
    std::vector<std::byte> bytes(*RowBytes(type, values.size()));
    ISOVEIL_RETURN_IF_ERROR(FromFloat(type, values, bytes));
    return write(offset, bytes);
  }

  Status WritePart(const TensorSources& sources, const PartPlan& part, PanelScratch& scratch,
                   const PanelWriter& write) {
    if (part.weight->constant) {
      return WriteValues(part.target.type,
                         std::vector<float>(part.target.cols.count, *part.weight->constant - part.target.origin),
                         part.target.offset, write);
    }
    ISOVEIL_ASSIGN_OR_RETURN(MatrixJobSpec spec, SpecifyWeight(sources, actions_, part, plan_.recode));
    ISOVEIL_ASSIGN_OR_RETURN(const MatrixJob job, MatrixJob::Prepare(std::move(spec), scratch_bytes_));
    for (size_t panel = 0; panel < job.n_panels(); ++panel) {
      if (options_.cancel != nullptr && *options_.cancel) {
        return Fail(ErrorCode::kCancelled, "", "stopped on request");
      }
      ISOVEIL_RETURN_IF_ERROR(job.Run(panel, scratch, write));
    }
    return Ok();
  }

  const Plan& plan_;
  const AxisActions& actions_;
  const Path scratch_folder_;
  const WriteOptions& options_;
  const uint64_t total_;
  const uint64_t scratch_bytes_;
  std::atomic<uint64_t> done_ = 0;
};

}  // namespace

Result<WriteReport> WriteShards(const Plan& plan, const GgufMetadata& gguf, const AxisActions& actions,
                                const Path& folder, const JournalPlace& place, const WriteOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const Journal journal, Journal::Open(place.path, place.fingerprint));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<OpenedShard> shards, OpenShards(plan, gguf, folder));
  const std::vector<TensorJob> jobs = ListJobs(plan, shards);
  const std::vector<size_t> order = LargestFirst(jobs);

  ShardWriter writer(plan, actions, place.path.parent_path(), options, plan.TotalBytes());
  std::atomic<uint64_t> resumed = 0;
  std::vector<PanelScratch> scratch(ThreadCount(options.threads));
  const auto run = [&](size_t i, unsigned worker) -> Status {
    const size_t index = order[i];
    const TensorJob& job = jobs[index];
    ISOVEIL_ASSIGN_OR_RETURN(const std::string source, writer.HashSource(job));
    if (const auto done = journal.Done(index); done && *done == JobHashes{source, ShardWriter::HashWritten(job)}) {
      ++resumed;
      writer.Count(job.bytes);
      writer.ReleasePages(job);
      return Ok();
    }
    ISOVEIL_RETURN_IF_ERROR(writer.Write(job, scratch[worker]));
    ISOVEIL_RETURN_IF_ERROR(CheckMappings());
    ISOVEIL_RETURN_IF_ERROR(journal.MarkDone(index, {source, ShardWriter::HashWritten(job)}));
    writer.ReleasePages(job);
    return Ok();
  };
  ISOVEIL_RETURN_IF_ERROR(RunParallel(jobs.size(), options.threads, run, options.cancel));
  return WriteReport{.tensors = jobs.size(), .resumed = resumed};
}

Status SyncShards(const Plan& plan, const Path& folder) {
  for (const ShardPlan& shard : plan.shards) {
    const Path path = folder / shard.file;
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t size, FileSize(path));
    ISOVEIL_ASSIGN_OR_RETURN(const OutputFile file, OutputFile::Reopen(path, size));
    ISOVEIL_RETURN_IF_ERROR(file.Sync());
  }
  return Ok();
}

Status CheckShard(const Path& path, const Target& target, std::vector<TensorInfo> expected) {
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<TensorInfo> found, target.ReadBack(path));
  const auto by_name = [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; };
  std::sort(expected.begin(), expected.end(), by_name);
  std::sort(found.begin(), found.end(), by_name);
  if (found == expected) return Ok();
  return Fail(ErrorCode::kMismatch, path.string(),
              fmt::format("expected {} planned tensors, read back {} that differ", expected.size(), found.size()),
              "the disk or this program is at fault; nothing was published");
}

}  // namespace isoveil
