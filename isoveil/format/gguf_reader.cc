#include <algorithm>
#include <cstring>
#include <set>

#include "isoveil/base/checked.h"
#include "isoveil/base/utf8.h"
#include "isoveil/format/gguf.h"
#include "isoveil/format/gguf_wire.h"
#include "isoveil/format/lfs.h"

namespace isoveil {
namespace {

using gguf::kArrayType;
using gguf::kMaxDims;
using gguf::kMaxTensorNameBytes;

// Reads forward over the file; every read is checked against the bytes that are left.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  const std::string& name() const { return name_; }
  uint64_t offset() const { return offset_; }
  uint64_t left() const { return bytes_.size() - offset_; }

  // Of the field that was read last.
  uint64_t field_offset() const { return field_offset_; }

  // Says where the field that was read last lies.
  tl::unexpected<Error> Malformed(std::string problem) const {
    return Fail(ErrorCode::kFormat, fmt::format("{}: offset {}", name_, field_offset_), std::move(problem),
                "the file is damaged or incomplete; fetch it again");
  }

  template <typename T>
  Result<T> Read(std::string_view what) {
    field_offset_ = offset_;
    if (left() < sizeof(T))
      return Malformed(fmt::format("expected {} ({} bytes), found the end of the file", what, sizeof(T)));
    T value;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }

  Result<std::string> ReadString(std::string_view what) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t length, Read<uint64_t>(what));
    if (length > left()) {
      return Malformed(fmt::format("{} has {} bytes, but {} are left in the file", what, length, left()));
    }
    std::string text(reinterpret_cast<const char*>(bytes_.data() + offset_), length);
    offset_ += length;
    return text;
  }

  // A count of things of at least `min_bytes` each.
  Result<uint64_t> ReadCount(std::string_view what, uint64_t min_bytes) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t count, Read<uint64_t>(what));
    if (count > left() / min_bytes) {
      return Malformed(fmt::format("{} is {}, which cannot fit in the {} bytes that are left", what, count, left()));
    }
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
  uint64_t offset_ = 0;
  uint64_t field_offset_ = 0;
};

template <typename T>
Result<GgufValue> ReadScalar(Cursor& cursor) {
  ISOVEIL_ASSIGN_OR_RETURN(T value, cursor.Read<T>("a value"));
  return GgufValue(value);
}

Result<bool> ReadBool(Cursor& cursor) {
  ISOVEIL_ASSIGN_OR_RETURN(const uint8_t value, cursor.Read<uint8_t>("a bool"));
  if (value > 1) return cursor.Malformed(fmt::format("expected a bool of 0 or 1, found {}", value));
  return value == 1;
}

template <typename T>
Result<GgufValue> ReadList(Cursor& cursor, uint64_t count) {
  std::vector<T> list;
  list.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(T value, cursor.Read<T>("an array element"));
    list.push_back(value);
  }
  return GgufValue(std::move(list));
}

Result<GgufValue> ReadStringList(Cursor& cursor, uint64_t count) {
  std::vector<std::string> list;
  for (uint64_t i = 0; i < count; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(std::string text, cursor.ReadString("an array element"));
    list.push_back(std::move(text));
  }
  return GgufValue(std::move(list));
}

Result<GgufValue> ReadBoolList(Cursor& cursor, uint64_t count) {
  std::vector<bool> list;
  for (uint64_t i = 0; i < count; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(const bool value, ReadBool(cursor));
    list.push_back(value);
  }
  return GgufValue(std::move(list));
}

uint64_t MinElementBytes(uint32_t type) {
  constexpr uint64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return type < std::size(kBytes) ? kBytes[type] : 1;
}

Result<GgufValue> ReadArray(Cursor& cursor) {
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t type, cursor.Read<uint32_t>("an array type"));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t count, cursor.ReadCount("an array length", MinElementBytes(type)));
  switch (type) {
    case 0: return ReadList<uint8_t>(cursor, count);
    case 1: return ReadList<int8_t>(cursor, count);
    case 2: return ReadList<uint16_t>(cursor, count);
    case 3: return ReadList<int16_t>(cursor, count);
    case 4: return ReadList<uint32_t>(cursor, count);
    case 5: return ReadList<int32_t>(cursor, count);
    case 6: return ReadList<float>(cursor, count);
    case 7: return ReadBoolList(cursor, count);
    case 8: return ReadStringList(cursor, count);
    case kArrayType: return cursor.Malformed("arrays of arrays are not allowed");
    case 10: return ReadList<uint64_t>(cursor, count);
    case 11: return ReadList<int64_t>(cursor, count);
    case 12: return ReadList<double>(cursor, count);
    default: return cursor.Malformed(fmt::format("expected an array type of 0 to 12, found {}", type));
  }
}

Result<GgufValue> ReadValue(Cursor& cursor) {
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t type, cursor.Read<uint32_t>("a value type"));
  switch (type) {
    case 0: return ReadScalar<uint8_t>(cursor);
    case 1: return ReadScalar<int8_t>(cursor);
    case 2: return ReadScalar<uint16_t>(cursor);
    case 3: return ReadScalar<int16_t>(cursor);
    case 4: return ReadScalar<uint32_t>(cursor);
    case 5: return ReadScalar<int32_t>(cursor);
    case 6: return ReadScalar<float>(cursor);
    case 7: {
      ISOVEIL_ASSIGN_OR_RETURN(const bool value, ReadBool(cursor));
      return GgufValue(value);
    }
    case 8: {
      ISOVEIL_ASSIGN_OR_RETURN(std::string text, cursor.ReadString("a string"));
      return GgufValue(std::move(text));
    }
    case kArrayType: return ReadArray(cursor);
    case 10: return ReadScalar<uint64_t>(cursor);
    case 11: return ReadScalar<int64_t>(cursor);
    case 12: return ReadScalar<double>(cursor);
    default: return cursor.Malformed(fmt::format("expected a value type of 0 to 12, found {}", type));
  }
}

struct RawTensor {
  TensorInfo info;
  uint64_t offset = 0;  // from the start of the data
  uint64_t bytes = 0;
};

Result<RawTensor> ReadTensor(Cursor& cursor) {
  RawTensor tensor;
  ISOVEIL_ASSIGN_OR_RETURN(tensor.info.name, cursor.ReadString("a tensor name"));
  const std::string quoted = Quoted(tensor.info.name);
  if (!IsCleanName(tensor.info.name, kMaxTensorNameBytes)) {
    return cursor.Malformed(
        fmt::format("tensor name {} is not clean UTF-8 of at most {} bytes", quoted, kMaxTensorNameBytes));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t n_dims, cursor.Read<uint32_t>("a number of dimensions"));
  if (n_dims < 1 || n_dims > kMaxDims) {
    return cursor.Malformed(fmt::format("tensor {}: expected 1 to {} dimensions, found {}", quoted, kMaxDims, n_dims));
  }
  for (uint32_t i = 0; i < n_dims; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t dim, cursor.Read<uint64_t>("a dimension"));
    if (dim == 0) return cursor.Malformed(fmt::format("tensor {}: dimension {} is 0", quoted, i));
    tensor.info.shape.insert(tensor.info.shape.begin(), dim);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t type, cursor.Read<uint32_t>("a tensor type"));
  const Result<DType> dtype = DTypeFromGgml(type);
  if (!dtype) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: offset {}: tensor {}", cursor.name(), cursor.field_offset(), quoted),
                dtype.error().problem, "convert it with llama-quantize to a type that is known");
  }
  tensor.info.type = *dtype;
  ISOVEIL_ASSIGN_OR_RETURN(tensor.offset, cursor.Read<uint64_t>("a tensor offset"));
  const auto bytes = TensorBytes(tensor.info.type, tensor.info.shape);
  if (!bytes) {
    return cursor.Malformed(fmt::format("tensor {}: shape {} of {} overflows or breaks its blocks", quoted,
                                        ShapeName(tensor.info.shape), DTypeName(tensor.info.type)));
  }
  tensor.bytes = *bytes;
  return tensor;
}

Status CheckNoOverlap(std::span<const RawTensor> tensors, const std::string& name) {
  std::vector<const RawTensor*> by_offset;
  for (const RawTensor& tensor : tensors) by_offset.push_back(&tensor);
  std::sort(by_offset.begin(), by_offset.end(),
            [](const RawTensor* a, const RawTensor* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    if (by_offset[i - 1]->offset + by_offset[i - 1]->bytes > by_offset[i]->offset) {
      return Fail(ErrorCode::kFormat, fmt::format("{}: tensor {}", name, Quoted(by_offset[i]->info.name)),
                  fmt::format("overlaps tensor {}", Quoted(by_offset[i - 1]->info.name)), "the file is damaged");
    }
  }
  return Ok();
}

Result<uint32_t> ReadAlignment(const GgufMetadata& metadata, const std::string& name) {
  if (metadata.Find(gguf::kAlignmentKey) == nullptr) return uint32_t{gguf::kDefaultAlignment};
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t alignment, metadata.GetUnsigned(gguf::kAlignmentKey));
  if (gguf::IsValidAlignment(alignment)) return static_cast<uint32_t>(alignment);
  return Fail(ErrorCode::kFormat, fmt::format("{}: key {}", name, Quoted(gguf::kAlignmentKey)),
              fmt::format("expected a power of two up to {}, found {}", gguf::kMaxAlignment, alignment),
              "the file is damaged");
}

Result<uint32_t> ReadVersion(Cursor& cursor) {
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t magic, cursor.Read<uint32_t>("the magic GGUF"));
  if (magic != gguf::kMagic) {
    return Fail(ErrorCode::kFormat, cursor.name() + ": offset 0",
                fmt::format("expected the magic GGUF, found 0x{:08x}", magic), "this is no GGUF file");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t version, cursor.Read<uint32_t>("a version"));
  if (version == 2 || version == gguf::kVersion) return version;
  const bool swapped = version == 0x02000000 || version == 0x03000000;
  return Fail(ErrorCode::kUnsupported, cursor.name() + ": offset 4",
              swapped ? "expected a little-endian file, found a big-endian one"
                      : fmt::format("expected version 2 or 3, found {}", version),
              "convert the model again with a current llama.cpp");
}

Result<GgufMetadata> ReadMetadata(Cursor& cursor, uint64_t n_keys) {
  GgufMetadata metadata(cursor.name());
  std::set<std::string> keys;
  for (uint64_t i = 0; i < n_keys; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(std::string key, cursor.ReadString("a key"));
    if (!IsCleanName(key, gguf::kMaxKeyBytes)) {
      return cursor.Malformed(
          fmt::format("key {} is not clean UTF-8 of 1 to {} bytes", Quoted(key), gguf::kMaxKeyBytes));
    }
    if (!keys.insert(key).second) return cursor.Malformed(fmt::format("key {} occurs twice", Quoted(key)));
    Result<GgufValue> value = ReadValue(cursor);
    if (!value) {
      value.error().where += fmt::format(": key {}", Quoted(key));
      return tl::unexpected(std::move(value).error());
    }
    metadata.Append(std::move(key), *std::move(value));
  }
  return metadata;
}

Result<std::vector<RawTensor>> ReadTensors(Cursor& cursor, uint64_t n_tensors) {
  std::vector<RawTensor> tensors;
  std::set<std::string> names;
  for (uint64_t i = 0; i < n_tensors; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(RawTensor tensor, ReadTensor(cursor));
    if (!names.insert(tensor.info.name).second) {
      return cursor.Malformed(fmt::format("tensor {} occurs twice", Quoted(tensor.info.name)));
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// Every tensor lies aligned inside the `data_bytes` bytes of data.
Status CheckBounds(std::span<const RawTensor> tensors, uint64_t alignment, uint64_t data_bytes,
                   const std::string& name) {
  for (const RawTensor& tensor : tensors) {
    const std::string where = fmt::format("{}: tensor {}", name, Quoted(tensor.info.name));
    if (tensor.offset % alignment != 0) {
      return Fail(ErrorCode::kFormat, where,
                  fmt::format("expected an offset that is a multiple of {}, found {}", alignment, tensor.offset),
                  "the file is damaged");
    }
    const auto end = CheckedAdd(tensor.offset, tensor.bytes);
    if (!end || *end > data_bytes) {
      return Fail(
          ErrorCode::kFormat, where,
          fmt::format("needs {} bytes at offset {} of the data, which has {}", tensor.bytes, tensor.offset, data_bytes),
          "the file is incomplete; fetch it again");
    }
  }
  return Ok();
}

}  // namespace

Result<GgufFile> GgufFile::Open(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  auto file = std::make_shared<const MappedFile>(std::move(mapped));
  ISOVEIL_ASSIGN_OR_RETURN(GgufFile gguf, Parse(file->bytes(), path.string()));
  gguf.file_ = std::move(file);
  return gguf;
}

Result<GgufFile> GgufFile::Parse(std::span<const std::byte> bytes, const std::string& name) {
  ISOVEIL_RETURN_IF_ERROR(RefuseLfsPointer(bytes, name));
  GgufFile file;
  file.path_ = name;
  Cursor cursor(bytes, name);
  ISOVEIL_ASSIGN_OR_RETURN(file.version_, ReadVersion(cursor));
  // The smallest tensor entry and the smallest key each take a string length and a few numbers.
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_tensors, cursor.ReadCount("the number of tensors", 33));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_keys, cursor.ReadCount("the number of keys", 14));
  ISOVEIL_ASSIGN_OR_RETURN(file.metadata_, ReadMetadata(cursor, n_keys));
  ISOVEIL_ASSIGN_OR_RETURN(file.alignment_, ReadAlignment(file.metadata_, name));
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<RawTensor> tensors, ReadTensors(cursor, n_tensors));

  // A file without tensors may end before the padding.
  file.data_offset_ = std::min<uint64_t>(*CheckedAlign(cursor.offset(), file.alignment_), bytes.size());
  const std::span<const std::byte> data = bytes.subspan(file.data_offset_);
  ISOVEIL_RETURN_IF_ERROR(CheckBounds(tensors, file.alignment_, data.size(), name));
  ISOVEIL_RETURN_IF_ERROR(CheckNoOverlap(tensors, name));
  for (RawTensor& tensor : tensors) {
    file.tensors_.push_back({std::move(tensor.info), data.subspan(tensor.offset, tensor.bytes)});
  }
  return file;
}

void GgufFile::Release(std::span<const std::byte> bytes) const {
  if (file_) file_->Release(static_cast<uint64_t>(bytes.data() - file_->bytes().data()), bytes.size());
}

}  // namespace isoveil
