// safetensors files: an 8-byte length, a JSON header, raw little-endian data.
//
//   ISOVEIL_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open("model.safetensors"));
//   for (const TensorView& tensor : file.tensors()) Use(tensor);
//
// A reader maps the file and checks all of it before it hands out a span: header length, strict JSON without
// duplicate keys, names, types, shapes, and that the tensors cover the data exactly, without holes or
// overlaps. The writer is byte-stable. Source: the format description and Metadata::validate of
// Hugging Face's safetensors. Spans live as long as the object or a copy. Immutable; safe to share.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/format/layout.h"
#include "isoveil/tensor/tensor.h"

namespace isoveil {

class SafetensorsFile {
 public:
  static Result<SafetensorsFile> Open(const Path& path);
  // The same from memory that outlives the object; `name` stands for the path in errors.
  static Result<SafetensorsFile> Parse(std::span<const std::byte> bytes, const std::string& name);

  // In the order of their data.
  std::span<const TensorView> tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Advice that `bytes`, of one of the tensors, will not be read again soon.
  void Release(std::span<const std::byte> bytes) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Lays out a file with the tensors in the given order, without gaps, the data's begin aligned to 8 bytes.
// kInvalidArgument or kUnsupported for what a reader would refuse: names, sizes, block formats.
Result<FileLayout> LayOutSafetensors(std::span<const TensorInfo> tensors,
                                     const std::map<std::string, std::string>& metadata);

}  // namespace isoveil
