// What an interrupted run has finished, so that the next one goes on from there.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Journal journal, Journal::Open(stage / "journal", fingerprint));
//   if (!journal.IsDone(7)) { ...; ISOVEIL_RETURN_IF_ERROR(journal.MarkDone(7)); }
//
// A text file: a line "isoveil-journal 1 FINGERPRINT BOOT", then one line "done N" per finished job.
// FINGERPRINT identifies the plan; a journal of another plan is kMismatch. BOOT is the kernel's boot id: what
// a killed process has written survives in the page cache, but after a reboot it may not have
// reached the disk, so the jobs of an earlier boot count as not done. A last line that was cut off
// counts as not written. MarkDone is thread-safe.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "isoveil/base/file.h"

namespace isoveil {

class Journal {
 public:
  static Result<Journal> Open(const Path& path, const std::string& fingerprint);

  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&& other) noexcept;
  ~Journal();

  bool IsDone(size_t job) const { return done_.contains(job); }
  size_t n_done() const { return done_.size(); }
  Status MarkDone(size_t job) const;

 private:
  Journal(Path path, int fd, std::set<size_t> done)
      : path_(std::move(path)), fd_(fd), done_(std::move(done)) {}

  Path path_;
  int fd_ = -1;
  std::set<size_t> done_;
};

}  // namespace isoveil
