// What an interrupted run has finished, so that the next one goes on from there.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const Journal journal, Journal::Open(stage / "journal", fingerprint));
//   if (journal.Done(7) != hashes_now) { ...; ISOVEIL_RETURN_IF_ERROR(journal.MarkDone(7, hashes)); }
//
// A text file: a line "isoveil-journal 2 FINGERPRINT", then one line "done N SOURCE WRITTEN" per finished job.
// FINGERPRINT identifies the plan; a journal of another plan is kMismatch. SOURCE and WRITTEN are hashes of what the
// job read and of what it wrote. A line is only a claim: whoever takes a run up hashes both again, so that neither a
// source that changed meanwhile nor bytes that never reached the disk end up in the result. A last line that was cut
// off counts as not written. MarkDone is thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "isoveil/base/file.h"

namespace isoveil {

// Hexadecimal content hashes.
struct JobHashes {
  std::string source;
  std::string written;
  bool operator==(const JobHashes&) const = default;
};

class Journal {
 public:
  static Result<Journal> Open(const Path& path, const std::string& fingerprint);

  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&& other) noexcept;
  ~Journal();

  // What is claimed of a job; nullopt if nothing is.
  std::optional<JobHashes> Done(size_t job) const;
  Status MarkDone(size_t job, const JobHashes& hashes) const;

 private:
  Journal(Path path, int fd, std::map<size_t, JobHashes> done)
      : path_(std::move(path)), fd_(fd), done_(std::move(done)) {}

  Path path_;
  int fd_ = -1;
  std::map<size_t, JobHashes> done_;
};

}  // namespace isoveil
