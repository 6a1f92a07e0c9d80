#include "isoveil/transform/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <sstream>
#include <utility>
#include <vector>

namespace isoveil {
namespace {

std::string Header(const std::string& fingerprint) { return fmt::format("isoveil-journal 2 {}", fingerprint); }

std::string DoneLine(size_t job, const JobHashes& hashes) {
  return fmt::format("done {} {} {}\n", job, hashes.source, hashes.written);
}

// "done 12 SOURCE WRITTEN"
std::optional<std::pair<size_t, JobHashes>> ParseDone(const std::string& line) {
  std::istringstream words(line);
  std::string done;
  std::string more;
  size_t job = 0;
  JobHashes hashes;
  if (!(words >> done >> job >> hashes.source >> hashes.written) || done != "done" || words >> more)
    return std::nullopt;
  return std::pair(job, hashes);
}

// The complete lines of `text`.
std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

Result<Journal> Journal::Open(const Path& path, const std::string& fingerprint) {
  const std::string header = Header(fingerprint);
  std::map<size_t, JobHashes> done;
  const auto text = ReadTextFile(path);
  if (!text && text.error().code != ErrorCode::kNotFound) return tl::unexpected(text.error());
  const std::vector<std::string_view> lines = text ? Lines(*text) : std::vector<std::string_view>();
  if (!lines.empty() && lines.front() != header) {
    return Fail(ErrorCode::kMismatch, path.string(),
                "the interrupted run had another model, key or options, or another version wrote it",
                "repeat the same command, or remove the folder");
  }
  for (const std::string_view line : lines) {
    if (auto claim = ParseDone(std::string(line))) done.insert_or_assign(claim->first, claim->second);
  }
  // Rewritten without a cut-off line, so that the next append starts a line.
  std::string content = header + "\n";
  for (const auto& [job, hashes] : done) content += DoneLine(job, hashes);
  Path fresh = path;
  fresh += ".new";
  ::unlink(fresh.c_str());
  ISOVEIL_RETURN_IF_ERROR(WriteNewFile(fresh, content, 0600));
  if (::rename(fresh.c_str(), path.c_str()) != 0) return tl::unexpected(SystemError(path, "cannot write"));
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return tl::unexpected(SystemError(path, "cannot open"));
  return Journal(path, fd, std::move(done));
}

Journal::Journal(Journal&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), done_(std::move(other.done_)) {}

Journal& Journal::operator=(Journal&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(done_, other.done_);
  return *this;
}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<JobHashes> Journal::Done(size_t job) const {
  const auto it = done_.find(job);
  if (it == done_.end()) return std::nullopt;
  return it->second;
}

Status Journal::MarkDone(size_t job, const JobHashes& hashes) const {
  // One short append is one line, also when several threads write.
  const std::string line = DoneLine(job, hashes);
  if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return tl::unexpected(SystemError(path_, "cannot write"));
  }
  return Ok();
}

}  // namespace isoveil
