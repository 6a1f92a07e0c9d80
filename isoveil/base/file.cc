#include "isoveil/base/file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "isoveil/base/mapping_guard.h"

namespace isoveil {
namespace {

// Closes a descriptor unless it is released.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int OpenRetrying(const Path& path, int flags, unsigned mode = 0) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

Result<int> OpenForReading(const Path& path, bool or_pipe) {
  // Without O_NONBLOCK, opening a pipe waits for its writer.
  Descriptor fd(OpenRetrying(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (fd.get() < 0) return tl::unexpected(SystemError(path, "cannot open"));
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return tl::unexpected(SystemError(path, "cannot stat"));
  if (S_ISREG(info.st_mode) || (or_pipe && S_ISFIFO(info.st_mode))) return fd.release();
  return Fail(ErrorCode::kFormat, path.string(), "is not a regular file");
}

Status WriteAll(int fd, const Path& path, uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return tl::unexpected(SystemError(path, fmt::format("cannot write {} bytes at offset {}", bytes.size(), offset)));
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return Ok();
}

int RenameNoReplace(const Path& from, const Path& to) {
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE));
}

Path ParentOf(const Path& path) { return path.has_parent_path() ? path.parent_path() : Path("."); }

// "out/" names the folder "out".
Path WithoutTrailingSlash(const Path& path) { return path.has_filename() ? path : path.parent_path(); }

}  // namespace

Error SystemError(const Path& path, std::string_view what) {
  const int error = errno;
  const std::string problem = fmt::format("{}: {}", what, std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR: return {ErrorCode::kNotFound, path.string(), problem, ""};
    case EEXIST:
    case ENOTEMPTY: return {ErrorCode::kExists, path.string(), problem, "nothing is overwritten: choose another path"};
    case ENOSPC:
    case EDQUOT: return {ErrorCode::kNoSpace, path.string(), problem, "free some space or write elsewhere"};
    default: return {ErrorCode::kIo, path.string(), problem, ""};
  }
}

bool FileExists(const Path& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0;
}

bool IsFolder(const Path& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool IsRegularFile(const Path& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool IsSameFile(const Path& a, const Path& b) {
  std::error_code ignored;
  return std::filesystem::equivalent(a, b, ignored);
}

Result<FileState> StateOf(const Path& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return tl::unexpected(SystemError(path, "cannot stat"));
  return FileState{.size = static_cast<uint64_t>(info.st_size),
                   .inode = info.st_ino,
                   .modified = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

Result<uint64_t> FileSize(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const FileState state, StateOf(path));
  return state.size;
}

Path AbsolutePath(const Path& path) {
  std::error_code error;
  const Path absolute = std::filesystem::absolute(path, error);
  return (error ? path : absolute).lexically_normal();
}

Result<int> OpenRegularFile(const Path& path) { return OpenForReading(path, false); }
Result<int> OpenFileOrPipe(const Path& path) { return OpenForReading(path, true); }

Status WaitForInput(int fd, const Path& path) {
  constexpr int kMilliseconds = 10'000;
  pollfd wait = {.fd = fd, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, kMilliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return tl::unexpected(SystemError(path, "cannot wait for input"));
  if (ready > 0) return Ok();
  return Fail(ErrorCode::kUnavailable, path.string(),
              fmt::format("is a pipe into which nothing was written for {} seconds", kMilliseconds / 1000),
              "start what writes into it, or give a file");
}

Result<MappedFile> MappedFile::Open(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const int opened, OpenRegularFile(path));
  const Descriptor fd(opened);
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return tl::unexpected(SystemError(path, "cannot stat"));
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return MappedFile(path, nullptr, 0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return tl::unexpected(SystemError(path, "cannot map"));
  return MappedFile(path, static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(Path path, const std::byte* data, size_t size)
    : path_(std::move(path)), data_(data), size_(size) {
  if (data_ == nullptr) return;
  guarded_name_ = std::make_unique<const std::string>(path_.string());
  AddGuardedMapping(data_, size_, guarded_name_->c_str());
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      guarded_name_(std::move(other.guarded_name_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(guarded_name_, other.guarded_name_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  RemoveGuardedMapping(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::Release(uint64_t offset, uint64_t size) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offset + page - 1) / page * page;
  const uint64_t end = std::min<uint64_t>(offset + size, size_) / page * page;
  if (begin < end) {
    ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
  }
}

Result<OutputFile> OutputFile::Create(const Path& path, uint64_t size, unsigned mode) {
  if (size > static_cast<uint64_t>(std::numeric_limits<off_t>::max())) {
    return Fail(ErrorCode::kFormat, path.string(), fmt::format("a file cannot hold {} bytes", size));
  }
  Descriptor fd(OpenRetrying(path, O_RDWR | O_CREAT | O_EXCL, mode));
  if (fd.get() < 0) return tl::unexpected(SystemError(path, "cannot create"));
  if (size > 0) {
    int error = 0;
    do {
      error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size));
    } while (error == EINTR);
    if (error != 0) {
      ::unlink(path.c_str());
      errno = error;
      return tl::unexpected(SystemError(path, fmt::format("cannot reserve {} bytes", size)));
    }
  }
  return OutputFile(path, fd.release(), size);
}

Result<OutputFile> OutputFile::Reopen(const Path& path, uint64_t size) {
  Descriptor fd(OpenRetrying(path, O_RDWR));
  if (fd.get() < 0) return tl::unexpected(SystemError(path, "cannot open"));
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return tl::unexpected(SystemError(path, "cannot stat"));
  if (static_cast<uint64_t>(info.st_size) != size) {
    return Fail(ErrorCode::kMismatch, path.string(), fmt::format("expected {} bytes, found {}", size, info.st_size));
  }
  return OutputFile(path, fd.release(), size);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      writing_(std::move(other.writing_)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  std::swap(writing_, other.writing_);
  return *this;
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status OutputFile::WriteAt(uint64_t offset, std::span<const std::byte> bytes) const {
  if (offset > size_ || bytes.size() > size_ - offset) {
    return Fail(ErrorCode::kInvalidArgument, path_.string(),
                fmt::format("{} bytes at offset {} do not fit in {} bytes", bytes.size(), offset, size_));
  }
  // The kernel lets one writer into a file at a time and the others spin; here they sleep.
  const std::lock_guard lock(*writing_);
  return WriteAll(fd_, path_, offset, bytes);
}

Status OutputFile::Sync() const {
  if (::fsync(fd_) != 0) return tl::unexpected(SystemError(path_, "cannot sync"));
  return Ok();
}

Result<std::string> ReadTextFile(const Path& path, uint64_t max_bytes) {
  ISOVEIL_ASSIGN_OR_RETURN(const int opened, OpenFileOrPipe(path));
  const Descriptor fd(opened);
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    ISOVEIL_RETURN_IF_ERROR(WaitForInput(fd.get(), path));
    const ssize_t count = ::read(fd.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(SystemError(path, "cannot read"));
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > max_bytes) {
      return Fail(ErrorCode::kFormat, path.string(), fmt::format("is larger than {} bytes", max_bytes));
    }
  }
}

Status WriteNewFile(const Path& path, std::string_view text, unsigned mode) {
  const Descriptor fd(OpenRetrying(path, O_WRONLY | O_CREAT | O_EXCL, mode));
  if (fd.get() < 0) return tl::unexpected(SystemError(path, "cannot create"));
  Status status = WriteAll(fd.get(), path, 0, std::as_bytes(std::span(text)));
  if (status && ::fsync(fd.get()) != 0) status = tl::unexpected(SystemError(path, "cannot sync"));
  if (!status) ::unlink(path.c_str());
  return status;
}

Status SyncFolder(const Path& folder) {
  const Descriptor fd(OpenRetrying(folder, O_RDONLY | O_DIRECTORY));
  if (fd.get() < 0) return tl::unexpected(SystemError(folder, "cannot open"));
  if (::fsync(fd.get()) != 0) return tl::unexpected(SystemError(folder, "cannot sync"));
  return Ok();
}

Result<Stage> Stage::Open(const Path& requested, Mode mode) {
  const Path target = WithoutTrailingSlash(requested);
  struct stat there = {};
  if (::lstat(target.c_str(), &there) == 0) {
    return Fail(ErrorCode::kExists, target.string(), "is there already", "nothing is overwritten: choose another path");
  }
  Path path = target;
  path += ".partial";
  bool resumed = false;
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno != EEXIST) return tl::unexpected(SystemError(path, "cannot create the folder"));
    if (mode == Mode::kFresh) {
      return Fail(ErrorCode::kExists, path.string(), "an interrupted run left this folder",
                  "resume that run, or remove the folder");
    }
    resumed = true;
  }
  Descriptor lock(OpenRetrying(path, O_RDONLY | O_DIRECTORY));
  if (lock.get() < 0) return tl::unexpected(SystemError(path, "cannot open the folder"));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Fail(ErrorCode::kUnavailable, path.string(), "another process is writing here", "wait for it or stop it");
  }
  return Stage(target, std::move(path), lock.release(), resumed);
}

Stage::Stage(Stage&& other) noexcept
    : target_(std::move(other.target_)),
      path_(std::move(other.path_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      resumed_(other.resumed_) {}

Stage& Stage::operator=(Stage&& other) noexcept {
  std::swap(target_, other.target_);
  std::swap(path_, other.path_);
  std::swap(lock_fd_, other.lock_fd_);
  std::swap(resumed_, other.resumed_);
  return *this;
}

Stage::~Stage() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status Stage::Publish() {
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(path_, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (std::error_code unknown; it->is_directory(unknown)) ISOVEIL_RETURN_IF_ERROR(SyncFolder(it->path()));
  }
  if (error) return Fail(ErrorCode::kIo, path_.string(), error.message());
  ISOVEIL_RETURN_IF_ERROR(SyncFolder(path_));
  if (::chmod(path_.c_str(), 0755) != 0) return tl::unexpected(SystemError(path_, "cannot chmod"));
  if (RenameNoReplace(path_, target_) != 0) {
    return tl::unexpected(SystemError(target_, fmt::format("cannot publish {}", Quoted(path_.string()))));
  }
  return SyncFolder(ParentOf(target_));
}

Status Stage::Discard() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) return Fail(ErrorCode::kIo, path_.string(), error.message());
  return Ok();
}

}  // namespace isoveil
