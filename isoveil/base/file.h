// Files: read-only mappings, exclusive outputs, and folders that appear whole or not at all.
//
//   ISOVEIL_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open("model.safetensors"));
//   std::span<const std::byte> bytes = file.bytes();           // valid while `file` lives
//
//   ISOVEIL_ASSIGN_OR_RETURN(Stage stage, Stage::Open("out", Stage::Mode::kResume));
//   ISOVEIL_ASSIGN_OR_RETURN(OutputFile f, OutputFile::Create(stage.path() / "a.bin", size));
//   ISOVEIL_RETURN_IF_ERROR(f.WriteAt(0, bytes));
//   ISOVEIL_RETURN_IF_ERROR(f.Sync());
//   ISOVEIL_RETURN_IF_ERROR(stage.Publish());                  // out.partial -> out, atomically
//
// Nothing here overwrites: outputs are created exclusively, and publishing refuses to replace.
// Errors name the path; a full disk is kNoSpace and is found when the file is created, because its
// space is reserved at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

using Path = std::filesystem::path;

// The error of the last system call, errno, on `path`: "cannot open: Permission denied".
[[nodiscard]] Error SystemError(const Path& path, std::string_view what);

// Questions about a path. None of them throws or waits; what cannot be found out is "no".
bool FileExists(const Path& path);
bool IsFolder(const Path& path);
bool IsRegularFile(const Path& path);
// Two names of one file or folder.
bool IsSameFile(const Path& a, const Path& b);
// kNotFound or kIo.
Result<uint64_t> FileSize(const Path& path);
// What changes when a file's content does: equal states of a path are, for all purposes here, equal contents.
struct FileState {
  uint64_t size = 0;
  uint64_t inode = 0;
  int64_t modified = 0;  // nanoseconds
  bool operator==(const FileState&) const = default;
};
Result<FileState> StateOf(const Path& path);
// Without "." and ".."; as it is where the current folder is gone.
Path AbsolutePath(const Path& path);

// Opens a file for reading and gives its descriptor, which the caller closes. Whatever a user names is opened by one of
// these two, so that nothing waits without end: a device or a folder is kFormat, and so is a pipe unless it may be one.
Result<int> OpenRegularFile(const Path& path);
Result<int> OpenFileOrPipe(const Path& path);
// Before each read of OpenFileOrPipe's descriptor: kUnavailable if nothing comes into the pipe for ten seconds.
Status WaitForInput(int fd, const Path& path);

// A whole file mapped for reading. Movable; safe to read from many threads. What is cut off after Open reads as
// zeros where mappings are guarded, see mapping_guard.h.
class MappedFile {
 public:
  // Fails with kNotFound or kIo. An empty file maps to an empty span.
  static Result<MappedFile> Open(const Path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const Path& path() const { return path_; }

  // Tells the kernel that the range will not be read again soon, so that a model larger than memory
  // passes through without pushing other files out. Never an error: it is advice.
  void Release(uint64_t offset, uint64_t size) const;

 private:
  MappedFile(Path path, const std::byte* data, size_t size);

  Path path_;
  std::unique_ptr<const std::string> guarded_name_;  // stays where it is when the file moves
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A file of known size that is written in place, in any order, by any thread.
class OutputFile {
 public:
  // Creates `path` exclusively (kExists if it is there) and reserves `size` bytes.
  static Result<OutputFile> Create(const Path& path, uint64_t size, unsigned mode = 0644);
  // Opens a file that an interrupted run left behind; kMismatch unless it has `size` bytes.
  static Result<OutputFile> Reopen(const Path& path, uint64_t size);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Writes all of `bytes` at `offset`; the range must lie inside the file.
  Status WriteAt(uint64_t offset, std::span<const std::byte> bytes) const;
  // Waits until the content is on the disk.
  Status Sync() const;

  const Path& path() const { return path_; }
  uint64_t size() const { return size_; }

 private:
  OutputFile(Path path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}

  Path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
  std::unique_ptr<std::mutex> writing_ = std::make_unique<std::mutex>();
};

// The text of a small file, or of a pipe such as the shell's <(command); kFormat if it is larger than `max_bytes`.
Result<std::string> ReadTextFile(const Path& path, uint64_t max_bytes = 64 << 20);

// Creates `path` exclusively with `text` and syncs it. A failure leaves no file behind.
Status WriteNewFile(const Path& path, std::string_view text, unsigned mode = 0644);

// Makes the names in a folder durable.
Status SyncFolder(const Path& folder);

// A folder under construction: "NAME.partial" beside NAME, locked against a second writer.
// Dropped without Publish, a fresh stage is left where it is, so that the work can be resumed.
class Stage {
 public:
  enum class Mode {
    kFresh,   // kExists if a stage is there
    kResume,  // continues in a stage that an interrupted run left
  };

  // For what shall stand at `requested`. kExists if it is there; kUnavailable if another process holds the stage.
  static Result<Stage> Open(const Path& requested, Mode mode);

  Stage(Stage&& other) noexcept;
  Stage& operator=(Stage&& other) noexcept;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage();

  const Path& path() const { return path_; }
  const Path& target() const { return target_; }
  // True when the stage was there already.
  bool resumed() const { return resumed_; }

  // Syncs the stage's folders and renames it to the target, without replacing anything.
  Status Publish();
  // Removes the stage and all in it.
  Status Discard();

 private:
  Stage(Path target, Path path, int lock_fd, bool resumed)
      : target_(std::move(target)), path_(std::move(path)), lock_fd_(lock_fd), resumed_(resumed) {}

  Path target_;
  Path path_;
  int lock_fd_ = -1;
  bool resumed_ = false;
};

}  // namespace isoveil
