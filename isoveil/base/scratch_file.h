// Memory that lies in a file without a name: the kernel can move it to the disk, and it is gone with the object.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const ScratchFile scratch, ScratchFile::Create(stage.path(), size));
//   Fill(scratch.bytes());
#pragma once

#include "isoveil/base/file.h"

namespace isoveil {

class ScratchFile {
 public:
  // Reserves `size` bytes, zeros, on the disk of `folder`.
  static Result<ScratchFile> Create(const Path& folder, uint64_t size);

  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&&) = delete;
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();

  std::span<std::byte> bytes() const { return {data_, size_}; }

 private:
  ScratchFile(std::byte* data, size_t size) : data_(data), size_(size) {}

  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace isoveil
