#include "isoveil/base/published_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace isoveil {
namespace {

Status WriteAll(int fd, const Path& path, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return tl::unexpected(SystemError(path, "cannot write"));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return Ok();
}

// `link` gives the file its name.
template <typename Link>
Status WriteAndLink(int fd, const Path& path, std::string_view text, const Link& link) {
  Status status = WriteAll(fd, path, text);
  if (status && ::fsync(fd) != 0) status = tl::unexpected(SystemError(path, "cannot sync"));
  if (status && link() != 0) status = tl::unexpected(SystemError(path, "cannot create"));
  ::close(fd);
  return status;
}

// For file systems that know no files without a name.
Status PublishByName(const Path& path, std::string_view text, unsigned mode) {
  std::string name = path.string() + ".XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return tl::unexpected(SystemError(path, "cannot create"));
  Status status =
      WriteAndLink(fd, path, text, [&] { return ::fchmod(fd, mode) != 0 ? -1 : ::link(name.c_str(), path.c_str()); });
  ::unlink(name.c_str());
  return status;
}

}  // namespace

Status PublishNewFile(const Path& path, std::string_view text, unsigned mode) {
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  const int fd = ::open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) return PublishByName(path, text, mode);
  if (fd < 0) return tl::unexpected(SystemError(path, "cannot create"));
  const std::string unnamed = fmt::format("/proc/self/fd/{}", fd);
  return WriteAndLink(fd, path, text,
                      [&] { return ::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW); });
}

}  // namespace isoveil
