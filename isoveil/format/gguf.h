// GGUF files, versions 2 and 3, little-endian: llama.cpp's format.
//
//   ISOVEIL_ASSIGN_OR_RETURN(GgufModel model, GgufModel::Open("llama-00001-of-00003.gguf"));
//   ISOVEIL_ASSIGN_OR_RETURN(uint64_t layers, model.metadata().GetUnsigned("llama.block_count"));
//
//   GgufMetadata metadata;
//   metadata.Set("general.architecture", std::string("llama"));
//   ISOVEIL_ASSIGN_OR_RETURN(FileLayout layout, LayOutGguf(metadata, infos));
//
// A reader maps the file and checks all of it before it hands out a span: counts against the bytes that
// are left, names, types, shapes, alignment, bounds, overlaps. Errors name file, offset, and key or tensor.
// The writer is byte-stable, and equal to llama.cpp's own. Source: ggml's docs/gguf.md.
// Spans live as long as the object or one of its copies. Immutable; safe to share between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/format/layout.h"
#include "isoveil/tensor/tensor.h"

namespace isoveil {

// A dimension of encoders that GGUF keeps with the tokenizer.
inline constexpr char kTokenTypeCountKey[] = "tokenizer.ggml.token_type_count";

// In the order of GGUF's type numbers, with arrays by element type after the scalars. Bools in arrays are
// bytes.
using GgufValue =
    std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string, uint64_t, int64_t,
                 double, std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                 std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>, std::vector<bool>,
                 std::vector<std::string>, std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;

// Keys and values in the order of the file. A plain value: copy it, change it, write it.
class GgufMetadata {
 public:
  GgufMetadata() = default;
  // `source` is the file that errors name.
  explicit GgufMetadata(std::string source) : source_(std::move(source)) {}

  const GgufValue* Find(std::string_view key) const;
  // Replaces the value of a key, or appends it.
  void Set(std::string_view key, GgufValue value);
  // Appends a key that is known to be new: linear-time reading of large headers.
  void Append(std::string key, GgufValue value) { entries_.emplace_back(std::move(key), std::move(value)); }
  void Remove(std::string_view key);

  // kNotFound, or kFormat if the value has another type or does not fit; errors name the file, the key, the
  // type expected and the type found. Integers of every width are read, floats of both.
  Result<uint64_t> GetUnsigned(std::string_view key) const;
  Result<int64_t> GetSigned(std::string_view key) const;
  Result<double> GetFloat(std::string_view key) const;
  Result<bool> GetBool(std::string_view key) const;
  Result<std::string> GetString(std::string_view key) const;
  Result<std::vector<std::string>> GetStrings(std::string_view key) const;
  Result<std::vector<float>> GetFloats(std::string_view key) const;
  Result<std::vector<int64_t>> GetIntegers(std::string_view key) const;

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  size_t size() const { return entries_.size(); }

 private:
  std::string source_;
  std::vector<std::pair<std::string, GgufValue>> entries_;
};

class GgufFile {
 public:
  static Result<GgufFile> Open(const Path& path);
  // The same from memory that outlives the object; `name` stands for the path in errors.
  static Result<GgufFile> Parse(std::span<const std::byte> bytes, const std::string& name);

  const GgufMetadata& metadata() const { return metadata_; }
  // In the order of the file.
  std::span<const TensorView> tensors() const { return tensors_; }
  const Path& path() const { return path_; }
  uint32_t version() const { return version_; }
  uint32_t alignment() const { return alignment_; }
  // Of the first tensor's data in the file.
  uint64_t data_offset() const { return data_offset_; }

  // Advice that `bytes`, of one of the tensors, will not be read again soon.
  void Release(std::span<const std::byte> bytes) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  Path path_;
  uint32_t version_ = 0;
  uint32_t alignment_ = 0;
  uint64_t data_offset_ = 0;
  GgufMetadata metadata_;
  std::vector<TensorView> tensors_;
};

// One file, or all files of a split model.
class GgufModel {
 public:
  // `path` is a file; of a split, the first shard. kNotFound names a missing shard. The keys split.count,
  // split.no and split.tensors.count are checked against what is there.
  static Result<GgufModel> Open(const Path& path);

  struct Shard {
    Path path;
    GgufFile file;
  };
  std::span<const Shard> shards() const { return shards_; }
  const GgufMetadata& metadata() const { return shards_.front().file.metadata(); }

 private:
  std::vector<Shard> shards_;
};

// Lays out a version 3 file with the tensors in the given order, aligned to the key general.alignment or else
// to 32 bytes. kInvalidArgument or kUnsupported for what a reader would refuse: names, shapes, types.
Result<FileLayout> LayOutGguf(const GgufMetadata& metadata, std::span<const TensorInfo> tensors);

}  // namespace isoveil
