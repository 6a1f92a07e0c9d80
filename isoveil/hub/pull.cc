#include "isoveil/hub/pull.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "isoveil/base/parallel.h"
#include "isoveil/hub/choose.h"
#include "isoveil/hub/download.h"
#include "isoveil/hub/listing.h"
#include "isoveil/hub/source_record.h"
#include "isoveil/hub/web_address.h"
#include "isoveil/net/url.h"

namespace isoveil {
namespace {

// In the stage, beside the files: what is known of unfinished ones.
constexpr const char* kScratchFolder = ".isoveil-pull";

uint64_t SizeOnDisk(const Path& path) { return FileSize(path).value_or(0); }

int64_t ModifiedAt(const Path& path) {
  const auto state = StateOf(path);
  return state ? state->modified : 0;
}

std::string Gigabytes(uint64_t bytes) { return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9); }

struct Plan {
  RepoId repo;
  std::string commit;
  FileChoice choice;

  SourceRecord Record() const {
    SourceRecord record{repo.text(), commit, {}};
    for (const HubFile& file : choice.files) record.files[file.path] = {file, 0};
    return record;
  }
  // Two files may have the same content, and so the same hash.
  Path EtagPath(const Path& folder, const HubFile& file) const {
    const auto index = std::find(choice.files.begin(), choice.files.end(), file) - choice.files.begin();
    return folder / kScratchFolder / fmt::format("{}-{}.etag", index, file.hash);
  }
};

// A folder that is there already is never changed. A file that has kept its size and time since this program
// wrote it is taken for unchanged; any other is hashed.
Status CheckComplete(const Path& folder, const Plan& plan) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::optional<SourceRecord> record, ReadSourceRecord(folder));
  const auto differs = [&](const HubFile& file, const char* how) {
    return Fail(ErrorCode::kExists, folder.string(),
                fmt::format("is there already, but {} {} commit {} of {}", Quoted(file.path), how,
                            plan.commit.substr(0, 12), plan.repo.text()),
                "nothing is overwritten: remove the folder, or choose another with -o");
  };
  for (const HubFile& file : plan.choice.files) {
    const Path path = folder / file.path;
    const SourceRecord::File* known = record ? record->Find(file) : nullptr;
    if (known != nullptr && known->mtime_ns != 0 && known->mtime_ns == ModifiedAt(path) &&
        SizeOnDisk(path) == file.size) {
      continue;
    }
    const Result<bool> same = HasContent(path, file);
    if (!same && same.error().code == ErrorCode::kNotFound) return differs(file, "is missing, which belongs to");
    if (!same) return tl::unexpected(same.error());
    if (!*same) return differs(file, "is not that of");
  }
  return Ok();
}

// Keeps of an interrupted run what begins a file of this one, and removes the rest.
Status TidyStage(const Stage& stage, const Plan& plan) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::optional<SourceRecord> before, ReadSourceRecord(stage.path()));
  std::set<Path> keep = {stage.path() / kSourceRecordFile};
  for (const HubFile& file : plan.choice.files) {
    if (before && before->Find(file) != nullptr) {
      keep.insert(stage.path() / file.path);
      keep.insert(plan.EtagPath(stage.path(), file));
    }
  }
  std::vector<Path> remove;
  std::error_code error;
  std::error_code ignored;
  for (std::filesystem::recursive_directory_iterator it(stage.path(), error), end; !error && it != end;
       it.increment(error)) {
    if (std::filesystem::is_directory(it->symlink_status(ignored))) continue;
    if (!keep.contains(it->path())) remove.push_back(it->path());
  }
  if (error) return Fail(ErrorCode::kIo, stage.path().string(), error.message());
  const Path unfinished_record = stage.path() / (std::string(kSourceRecordFile) + ".new");
  if (!before && std::any_of(remove.begin(), remove.end(), [&](const Path& p) { return p != unfinished_record; })) {
    return Fail(ErrorCode::kExists, stage.path().string(), "is not a folder that `isoveil pull` began",
                "remove it, or choose another folder with -o");
  }
  for (const Path& path : remove) {
    std::filesystem::remove(path, error);
    if (error) return Fail(ErrorCode::kIo, path.string(), error.message());
  }
  return ReplaceSourceRecord(stage.path(), plan.Record());
}

uint64_t BytesToFetch(const Path& folder, const Plan& plan) {
  uint64_t bytes = 0;
  for (const HubFile& file : plan.choice.files) {
    bytes += file.size - std::min(file.size, SizeOnDisk(folder / file.path));
  }
  return bytes;
}

Status CheckSpace(const Path& folder, uint64_t needed) {
  struct statvfs info = {};
  if (::statvfs(folder.c_str(), &info) != 0) return Ok();
  const uint64_t blocks = needed / info.f_frsize + (needed % info.f_frsize != 0 ? 1 : 0);
  if (blocks <= info.f_bavail) return Ok();
  return Fail(ErrorCode::kNoSpace, folder.string(),
              fmt::format("{} are still to be fetched, and the disk has {} free", Gigabytes(needed),
                          Gigabytes(uint64_t{info.f_bavail} * info.f_frsize)),
              "free some space, or choose another disk with -o");
}

// Counts what all threads fetch.
class Progress {
 public:
  Progress(const PullOptions& options, uint64_t total) : options_(options), total_(total) {}

  // Bytes that have to come again make the work larger.
  void Add(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes < 0) {
      total_ += static_cast<uint64_t>(-bytes);
    } else {
      done_ += static_cast<uint64_t>(bytes);
    }
    if (options_.on_progress) options_.on_progress(done_, std::max(done_, total_));
  }
  uint64_t done() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  const PullOptions& options_;
  mutable std::mutex mutex_;
  uint64_t total_;
  uint64_t done_ = 0;
};

HubSettings Settings(const PullOptions& options, const RepoId& repo, const std::string& endpoint) {
  return {.endpoint = endpoint,
          .token = options.token,
          .repository = repo.text(),
          .revision = options.revision,
          .ca_file = options.ca_file,
          .silence = options.silence};
}

// Largest first, so that no thread is left with a long one at the end.
Status FetchAll(const HubSettings& settings, const PullOptions& options, const Plan& plan, const Path& folder,
                Progress& progress) {
  std::vector<HubFile> files = plan.choice.files;
  std::stable_sort(files.begin(), files.end(), [](const HubFile& a, const HubFile& b) { return a.size > b.size; });
  std::error_code error;
  for (const HubFile& file : files) {
    std::filesystem::create_directories((folder / file.path).parent_path(), error);
    if (error) return Fail(ErrorCode::kIo, (folder / file.path).string(), error.message());
  }
  std::filesystem::create_directory(folder / kScratchFolder, error);
  const unsigned threads = std::max(1u, std::min<unsigned>(options.connections, static_cast<unsigned>(files.size())));
  std::vector<HubClient> clients;
  for (unsigned i = 0; i < threads; ++i) clients.emplace_back(settings);

  std::stop_source stop;
  std::mutex mutex;
  std::optional<Error> first;  // the cause; the others were stopped by it
  Status status = RunParallel(files.size(), threads, [&](size_t job, unsigned worker) -> Status {
    const HubFile& file = files[job];
    const Download download{.url = fmt::format("{}/{}/resolve/{}/{}", settings.endpoint, plan.repo.text(), plan.commit,
                                               PercentEncode(file.path, true)),
                            .commit = plan.commit,
                            .file = file,
                            .path = folder / file.path,
                            .etag_path = plan.EtagPath(folder, file)};
    Status done = DownloadFile(
        clients[worker], download, options.retry, [&](int64_t bytes) { progress.Add(bytes); }, stop.get_token());
    if (done) return done;
    const std::lock_guard lock(mutex);
    if (!first) first = done.error();
    stop.request_stop();
    return done;
  });
  if (first) return tl::unexpected(*std::move(first));
  return status;
}

// The record with the files' times, in a folder without scratch, under its final name.
Status Publish(Stage& stage, const Plan& plan) {
  SourceRecord record = plan.Record();
  for (auto& [path, entry] : record.files) entry.mtime_ns = ModifiedAt(stage.path() / path);
  std::error_code error;
  std::filesystem::remove_all(stage.path() / kScratchFolder, error);
  if (error) return Fail(ErrorCode::kIo, (stage.path() / kScratchFolder).string(), error.message());
  ISOVEIL_RETURN_IF_ERROR(ReplaceSourceRecord(stage.path(), record));
  return stage.Publish();
}

Result<uint64_t> Fetch(const HubSettings& settings, const PullOptions& options, const Plan& plan, const Path& folder) {
  ISOVEIL_ASSIGN_OR_RETURN(Stage stage, Stage::Open(folder, Stage::Mode::kResume));
  ISOVEIL_RETURN_IF_ERROR(TidyStage(stage, plan));
  const uint64_t needed = BytesToFetch(stage.path(), plan);
  if (Status space = CheckSpace(stage.path(), needed); !space) {
    if (!stage.resumed()) ISOVEIL_RETURN_IF_ERROR(stage.Discard());
    return tl::unexpected(std::move(space).error());
  }
  if (options.on_notice && needed < plan.choice.bytes) {
    options.on_notice(fmt::format("{} of {} are in {} already and are checked first",
                                  Gigabytes(plan.choice.bytes - needed), Gigabytes(plan.choice.bytes),
                                  stage.path().string()));
  }
  Progress progress(options, needed);
  ISOVEIL_RETURN_IF_ERROR(FetchAll(settings, options, plan, stage.path(), progress));
  ISOVEIL_RETURN_IF_ERROR(Publish(stage, plan));
  return progress.done();
}

}  // namespace

Result<PullReport> Pull(const PullOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const RepoId repo, RepoId::Parse(options.repository));
  ISOVEIL_RETURN_IF_ERROR(CheckRevision(options.revision));
  ISOVEIL_ASSIGN_OR_RETURN(const std::string endpoint, CheckEndpoint(options.endpoint));
  const Path folder = options.folder.empty() ? Path(repo.name()) : options.folder;
  const HubSettings settings = Settings(options, repo, endpoint);
  HubClient client(settings);
  ISOVEIL_ASSIGN_OR_RETURN(const HubListing listing,
                           ListRepository(client, repo, options.revision, options.retry, std::stop_token()));
  auto choice = ChooseFiles(listing.files, options.include);
  if (!choice) {
    Error error = std::move(choice).error();
    if (error.where == "repository") error.where = repo.text();
    return tl::unexpected(std::move(error));
  }
  const Plan plan{repo, listing.commit, *std::move(choice)};

  PullReport report{folder, plan.commit, plan.choice.files, plan.choice.bytes, 0, false};
  std::error_code ignored;
  if (FileExists(folder)) {
    ISOVEIL_RETURN_IF_ERROR(CheckComplete(folder, plan));
    report.up_to_date = true;
    return report;
  }
  ISOVEIL_ASSIGN_OR_RETURN(report.fetched_bytes, Fetch(settings, options, plan, folder));
  return report;
}

}  // namespace isoveil
