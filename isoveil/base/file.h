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

// A whole file mapped for reading. Movable; safe to read from many threads.
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
  MappedFile(Path path, const std::byte* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}

  Path path_;
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

// The text of a small file; kFormat if it is larger than `max_bytes`.
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

  // kExists if `target` exists; kUnavailable if another process holds the stage.
  static Result<Stage> Open(const Path& target, Mode mode);

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
