#include "isoveil/hub/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "isoveil/hub/digest.h"

namespace isoveil {
namespace {

constexpr const char* kGoesOn = "the same command goes on where it ended";

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// "bytes 100-199/200": where it begins and of how much.
struct ContentRange {
  uint64_t begin = 0;
  uint64_t total = 0;
};
std::optional<ContentRange> ParseContentRange(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto begin = ParseNumber(text.substr(0, dash));
  const auto total = ParseNumber(text.substr(slash + 1));
  if (!begin || !total) return std::nullopt;
  return ContentRange{*begin, *total};
}

// A weak entity tag, W/"...", does not promise the same bytes.
bool IsStrongTag(std::string_view etag) {
  return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"' &&
         std::all_of(etag.begin(), etag.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// The state of one download between its tries.
class Job {
 public:
  Job(const Download& download, const OnBytes& on_bytes)
      : d_(download),
        on_bytes_(on_bytes),
        fd_(::open(d_.path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644)) {}

  Status Run(HubClient& client, const RetryPolicy& policy, const std::stop_token& stop);

 private:
  Status TakeUp();
  Status Restart();
  Status Begin(const HubAnswer& answer);
  Status Append(std::string_view bytes);
  Status CheckHub(const HubAnswer& answer) const;
  Result<bool> Finish();
  Error Mismatch(std::string problem) const;

  const Download& d_;
  const OnBytes& on_bytes_;
  Descriptor fd_;
  std::optional<ContentHash> hash_;
  std::string etag_;
  uint64_t offset_ = 0;  // bytes on the disk and in the hash
  bool pieces_ = false;  // the content comes from more than one answer
};

Error Job::Mismatch(std::string problem) const {
  return {ErrorCode::kMismatch, d_.file.path, std::move(problem),
          "the server does not send what its file list says; try again later or another endpoint"};
}

Status Job::TakeUp() {
  if (fd_.get() < 0) return tl::unexpected(SystemError(d_.path, "cannot open"));
  struct stat info = {};
  if (::fstat(fd_.get(), &info) != 0) return tl::unexpected(SystemError(d_.path, "cannot stat"));
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size > d_.file.size) return Restart();
  ISOVEIL_ASSIGN_OR_RETURN(hash_, ContentHash::Start(d_.file.hash_kind, d_.file.size));
  ISOVEIL_RETURN_IF_ERROR(HashPrefix(fd_.get(), d_.path, size, *hash_));
  offset_ = size;
  pieces_ = size > 0;
  if (Result<std::string> etag = ReadTextFile(d_.etag_path, 1024); etag && IsStrongTag(*etag)) {
    etag_ = *std::move(etag);
  }
  return Ok();
}

Status Job::Restart() {
  on_bytes_(-static_cast<int64_t>(offset_));
  offset_ = 0;
  pieces_ = false;
  etag_.clear();
  if (::ftruncate(fd_.get(), 0) != 0) return tl::unexpected(SystemError(d_.path, "cannot empty"));
  ISOVEIL_ASSIGN_OR_RETURN(hash_, ContentHash::Start(d_.file.hash_kind, d_.file.size));
  return Ok();
}

// Wrong content is noticed here when the hub says so, and by the hash in any case.
Status Job::CheckHub(const HubAnswer& answer) const {
  const std::string commit = HeaderOf(answer.hub_headers, "x-repo-commit");
  if (!commit.empty() && commit != d_.commit) {
    return tl::unexpected(Mismatch(fmt::format("expected commit {}, found {}", d_.commit, Quoted(commit))));
  }
  const auto size = ParseNumber(HeaderOf(answer.hub_headers, "x-linked-size"));
  if (size && *size != d_.file.size) {
    return tl::unexpected(Mismatch(fmt::format("expected {} bytes, found {}", d_.file.size, *size)));
  }
  return Ok();
}

Status Job::Begin(const HubAnswer& answer) {
  ISOVEIL_RETURN_IF_ERROR(CheckHub(answer));
  if (answer.status == 206) {
    const auto range = ParseContentRange(HeaderOf(answer.headers, "content-range"));
    if (!range || range->begin != offset_ || range->total != d_.file.size) {
      return tl::unexpected(Mismatch(fmt::format("expected bytes from {} of {}, found {}", offset_, d_.file.size,
                                                 Quoted(HeaderOf(answer.headers, "content-range")))));
    }
    pieces_ = true;
  } else if (answer.status == 200) {
    if (offset_ > 0) ISOVEIL_RETURN_IF_ERROR(Restart());
  } else {
    return tl::unexpected(Mismatch(fmt::format("expected HTTP 200 or 206, found {}", answer.status)));
  }
  const auto length = ParseNumber(HeaderOf(answer.headers, "content-length"));
  if (length && *length != d_.file.size - offset_) {
    return tl::unexpected(Mismatch(fmt::format("expected {} bytes, found {}", d_.file.size, offset_ + *length)));
  }
  const std::string etag = HeaderOf(answer.headers, "etag");
  if (IsStrongTag(etag) && etag != etag_) {
    etag_ = etag;
    std::error_code ignored;
    std::filesystem::remove(d_.etag_path, ignored);
    ISOVEIL_RETURN_IF_ERROR(WriteNewFile(d_.etag_path, etag_));
  }
  return Ok();
}

Status Job::Append(std::string_view bytes) {
  if (bytes.size() > d_.file.size - offset_) {
    return tl::unexpected(Mismatch(fmt::format("expected {} bytes, found more", d_.file.size)));
  }
  hash_->Update(std::as_bytes(std::span(bytes)));
  on_bytes_(static_cast<int64_t>(bytes.size()));
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      Error error = SystemError(d_.path, "cannot write");
      if (error.code == ErrorCode::kNoSpace) error.hint = std::string("free some space; ") + kGoesOn;
      return tl::unexpected(std::move(error));
    }
    bytes.remove_prefix(static_cast<size_t>(count));
    offset_ += static_cast<uint64_t>(count);
  }
  return Ok();
}

// False if the pieces do not fit together; the whole file may still be right.
Result<bool> Job::Finish() {
  const std::string hash = hash_->Finish();
  if (hash == d_.file.hash) {
    if (::fsync(fd_.get()) != 0) return tl::unexpected(SystemError(d_.path, "cannot sync"));
    return true;
  }
  const bool was_pieces = pieces_;
  // Wrong bytes are not left for the next run to build on.
  ISOVEIL_RETURN_IF_ERROR(Restart());
  if (was_pieces) return false;
  return tl::unexpected(
      Mismatch(fmt::format("expected {} {}, found {}", HashKindName(d_.file.hash_kind), d_.file.hash, hash)));
}

Status Job::Run(HubClient& client, const RetryPolicy& policy, const std::stop_token& stop) {
  ISOVEIL_RETURN_IF_ERROR(TakeUp());
  Backoff backoff(policy);
  for (;;) {
    if (offset_ == d_.file.size) {
      ISOVEIL_ASSIGN_OR_RETURN(const bool whole, Finish());
      if (whole) return Ok();
      continue;
    }
    bool came = false;
    const auto start = [&](const HubAnswer& answer) { return Begin(answer); };
    const auto data = [&](std::string_view bytes) {
      came = true;
      return Append(bytes);
    };
    auto answer = client.Get({d_.url, offset_, etag_}, start, data, stop);
    if (answer && offset_ == d_.file.size) continue;
    if (came) backoff.Progress();
    RequestFailure failure{{ErrorCode::kUnavailable, d_.file.path,
                            fmt::format("the server ends after {} of {} bytes", offset_, d_.file.size), kGoesOn},
                           true,
                           {}};
    if (!answer) failure = std::move(answer).error();
    ISOVEIL_RETURN_IF_ERROR(backoff.Wait(std::move(failure), stop));
  }
}

}  // namespace

Status DownloadFile(HubClient& client, const Download& download, const RetryPolicy& policy, const OnBytes& on_bytes,
                    const std::stop_token& stop) {
  ISOVEIL_RETURN_IF_ERROR(Job(download, on_bytes).Run(client, policy, stop));
  std::error_code ignored;
  std::filesystem::remove(download.etag_path, ignored);
  return Ok();
}

Result<bool> HasContent(const Path& path, const HubFile& file) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return tl::unexpected(SystemError(path, "cannot open"));
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return tl::unexpected(SystemError(path, "cannot stat"));
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) != file.size) return false;
  ISOVEIL_ASSIGN_OR_RETURN(ContentHash hash, ContentHash::Start(file.hash_kind, file.size));
  ISOVEIL_RETURN_IF_ERROR(HashPrefix(fd.get(), path, file.size, hash));
  return hash.Finish() == file.hash;
}

}  // namespace isoveil
