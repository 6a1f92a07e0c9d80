#include "isoveil/transform/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <utility>

namespace isoveil {
namespace {

std::string BootId() {
  const auto text = ReadTextFile("/proc/sys/kernel/random/boot_id", 64);
  if (!text) return "unknown";
  return text->substr(0, text->find('\n'));
}

std::string Header(const std::string& fingerprint) {
  return fmt::format("isoveil-journal 1 {} ", fingerprint);
}

// "done 12" -> 12
std::optional<size_t> ParseDone(std::string_view line) {
  constexpr std::string_view kDone = "done ";
  if (!line.starts_with(kDone)) return std::nullopt;
  line.remove_prefix(kDone.size());
  size_t job = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), job);
  if (error != std::errc() || end != line.data() + line.size()) return std::nullopt;
  return job;
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
  const std::string first = header + BootId();
  std::set<size_t> done;
  const auto text = ReadTextFile(path);
  if (!text && text.error().code != ErrorCode::kNotFound) return tl::unexpected(text.error());
  const std::vector<std::string_view> lines = text ? Lines(*text) : std::vector<std::string_view>();
  if (!lines.empty() && !lines.front().starts_with(header)) {
    return Fail(ErrorCode::kMismatch, path.string(),
                "the interrupted run had another model, key or options, or another version wrote it",
                "repeat the same command, or remove the folder");
  }
  const bool same_boot = !lines.empty() && lines.front() == first;
  if (same_boot) {
    for (const std::string_view line : lines) {
      if (const auto job = ParseDone(line)) done.insert(*job);
    }
  }
  // Rewritten without a cut-off line, so that the next append starts a line.
  std::string content = first + "\n";
  for (const size_t job : done) content += fmt::format("done {}\n", job);
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

Status Journal::MarkDone(size_t job) const {
  // One short append is one line, also when several threads write.
  const std::string line = fmt::format("done {}\n", job);
  if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return tl::unexpected(SystemError(path_, "cannot write"));
  }
  return Ok();
}

}  // namespace isoveil
