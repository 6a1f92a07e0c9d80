#include "isoveil/base/scratch_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace isoveil {

Result<ScratchFile> ScratchFile::Create(const Path& folder, uint64_t size) {
  if (size == 0) return ScratchFile(nullptr, 0);
  std::string name = (folder / ".scratch-XXXXXX").string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return tl::unexpected(SystemError(folder, "cannot make a scratch file"));
  ::unlink(name.c_str());
  int error = 0;
  do {
    error = ::posix_fallocate(fd, 0, static_cast<off_t>(size));
  } while (error == EINTR);
  void* data = error == 0 ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (error == 0 && data == MAP_FAILED) error = errno;
  ::close(fd);
  errno = error;
  if (error != 0) return tl::unexpected(SystemError(folder, fmt::format("cannot reserve {} bytes", size)));
  return ScratchFile(static_cast<std::byte*>(data), size);
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

ScratchFile::~ScratchFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace isoveil
