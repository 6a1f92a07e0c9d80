#include <algorithm>
#include <cstring>
#include <set>

#include "isoveil/base/checked.h"
#include "isoveil/format/gguf.h"
#include "isoveil/format/utf8.h"

namespace isoveil {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kMaxKeyBytes = 65535;
constexpr uint64_t kMaxTensorName = 4096;
constexpr uint32_t kMaxDims = 4;
constexpr uint64_t kMaxAlignment = 65536;
constexpr uint32_t kDefaultAlignment = 32;
constexpr uint32_t kArrayType = 9;

// Reads forward over the file; every read is checked against the bytes that are left.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  uint64_t offset() const { return offset_; }
  uint64_t left() const { return bytes_.size() - offset_; }

  tl::unexpected<Error> Malformed(std::string problem) const {
    return Fail(ErrorCode::kFormat, fmt::format("{}: offset {}", name_, offset_), std::move(problem),
                "the file is damaged or incomplete; fetch it again");
  }

  template <typename T>
  Result<T> Read(std::string_view what) {
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
      return Malformed(
          fmt::format("{} is {}, which cannot fit in the {} bytes that are left", what, count, left()));
    }
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
  uint64_t offset_ = 0;
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
  uint64_t offset;  // from the start of the data
  uint64_t bytes;
};

Result<RawTensor> ReadTensor(Cursor& cursor) {
  RawTensor tensor;
  ISOVEIL_ASSIGN_OR_RETURN(tensor.info.name, cursor.ReadString("a tensor name"));
  const std::string quoted = Quoted(tensor.info.name);
  if (!IsCleanName(tensor.info.name, kMaxTensorName)) {
    return cursor.Malformed(
        fmt::format("tensor name {} is not clean UTF-8 of at most {} bytes", quoted, kMaxTensorName));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t n_dims, cursor.Read<uint32_t>("a number of dimensions"));
  if (n_dims < 1 || n_dims > kMaxDims) {
    return cursor.Malformed(
        fmt::format("tensor {}: expected 1 to {} dimensions, found {}", quoted, kMaxDims, n_dims));
  }
  for (uint32_t i = 0; i < n_dims; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t dim, cursor.Read<uint64_t>("a dimension"));
    if (dim == 0) return cursor.Malformed(fmt::format("tensor {}: dimension {} is 0", quoted, i));
    tensor.info.shape.insert(tensor.info.shape.begin(), dim);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t type, cursor.Read<uint32_t>("a tensor type"));
  const Result<DType> dtype = DTypeFromGgml(type);
  if (!dtype) {
    return Fail(ErrorCode::kUnsupported, fmt::format("offset {}: tensor {}", cursor.offset(), quoted),
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
                  fmt::format("overlaps tensor {}", Quoted(by_offset[i - 1]->info.name)),
                  "the file is damaged");
    }
  }
  return Ok();
}

Result<uint64_t> Alignment(const GgufMetadata& metadata, const Cursor& cursor) {
  if (metadata.Find("general.alignment") == nullptr) return uint64_t{kDefaultAlignment};
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t alignment, metadata.GetUnsigned("general.alignment"));
  if (alignment == 0 || alignment > kMaxAlignment || (alignment & (alignment - 1)) != 0) {
    return cursor.Malformed(fmt::format("general.alignment: expected a power of two up to {}, found {}",
                                        kMaxAlignment, alignment));
  }
  return alignment;
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
  Cursor cursor(bytes, name);
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t magic, cursor.Read<uint32_t>("the magic GGUF"));
  if (magic != kMagic) return cursor.Malformed(fmt::format("expected the magic GGUF, found 0x{:08x}", magic));
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t version, cursor.Read<uint32_t>("a version"));
  if (version != 2 && version != 3) {
    const bool swapped = version == 0x02000000 || version == 0x03000000;
    return Fail(
        ErrorCode::kUnsupported, fmt::format("{}: offset 4", name),
        swapped ? "the file is big-endian" : fmt::format("expected version 2 or 3, found {}", version),
        "convert it with a current llama.cpp");
  }
  // The smallest tensor entry and the smallest key each take a string length and a few numbers.
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_tensors, cursor.ReadCount("the number of tensors", 33));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_keys, cursor.ReadCount("the number of keys", 14));

  GgufFile gguf;
  std::set<std::string> keys;
  for (uint64_t i = 0; i < n_keys; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::string key, cursor.ReadString("a key"));
    if (!IsCleanName(key, kMaxKeyBytes))
      return cursor.Malformed(fmt::format("key {} is not clean UTF-8", Quoted(key)));
    if (!keys.insert(key).second) return cursor.Malformed(fmt::format("key {} occurs twice", Quoted(key)));
    ISOVEIL_ASSIGN_OR_RETURN(GgufValue value, ReadValue(cursor));
    gguf.metadata_.Append(key, std::move(value));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t alignment, Alignment(gguf.metadata_, cursor));

  std::vector<RawTensor> tensors;
  std::set<std::string> names;
  for (uint64_t i = 0; i < n_tensors; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(RawTensor tensor, ReadTensor(cursor));
    if (!names.insert(tensor.info.name).second) {
      return cursor.Malformed(fmt::format("tensor {} occurs twice", Quoted(tensor.info.name)));
    }
    tensors.push_back(std::move(tensor));
  }
  const auto data = CheckedAlign(cursor.offset(), alignment);
  for (const RawTensor& tensor : tensors) {
    const auto begin = CheckedAdd(*data, tensor.offset);
    const auto end = begin ? CheckedAdd(*begin, tensor.bytes) : begin;
    const std::string where = fmt::format("{}: tensor {}", name, Quoted(tensor.info.name));
    if (tensor.offset % alignment != 0) {
      return Fail(
          ErrorCode::kFormat, where,
          fmt::format("expected an offset that is a multiple of {}, found {}", alignment, tensor.offset));
    }
    if (!end || *end > bytes.size()) {
      return Fail(ErrorCode::kFormat, where,
                  fmt::format("needs {} bytes at offset {}, but the file has {}", tensor.bytes, tensor.offset,
                              bytes.size()),
                  "the file is incomplete; fetch it again");
    }
  }
  ISOVEIL_RETURN_IF_ERROR(CheckNoOverlap(tensors, name));
  for (RawTensor& tensor : tensors) {
    gguf.tensors_.push_back({std::move(tensor.info), bytes.subspan(*data + tensor.offset, tensor.bytes)});
  }
  return gguf;
}

namespace {

// "-00001-of-00003.gguf" at the end of a split's first shard.
Result<std::vector<Path>> SplitPaths(const Path& first, uint64_t count) {
  const std::string name = first.string();
  const std::string suffix = fmt::format("-00001-of-{:05}.gguf", count);
  if (!name.ends_with(suffix)) {
    return Fail(ErrorCode::kFormat, name,
                fmt::format("is a shard of {}; expected the name of the first, ...{}", count, suffix),
                "give the first shard, and keep the names of all");
  }
  const std::string stem = name.substr(0, name.size() - suffix.size());
  std::vector<Path> paths;
  for (uint64_t i = 1; i <= count; ++i)
    paths.emplace_back(fmt::format("{}-{:05}-of-{:05}.gguf", stem, i, count));
  return paths;
}

}  // namespace

Result<GgufModel> GgufModel::Open(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(GgufFile first, GgufFile::Open(path));
  GgufModel model;
  uint64_t count = 1;
  if (first.metadata().Find("split.count") != nullptr) {
    ISOVEIL_ASSIGN_OR_RETURN(count, first.metadata().GetUnsigned("split.count"));
  }
  model.shards_.push_back({path, std::move(first)});
  if (count <= 1) return model;
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<Path> paths, SplitPaths(path, count));
  std::set<std::string> names;
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) {
      ISOVEIL_ASSIGN_OR_RETURN(GgufFile file, GgufFile::Open(paths[i]));
      model.shards_.push_back({paths[i], std::move(file)});
    }
    const GgufFile& file = model.shards_.back().file;
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t number, file.metadata().GetUnsigned("split.no"));
    if (number != i) {
      return Fail(ErrorCode::kFormat, paths[i].string(),
                  fmt::format("expected shard {}, found split.no {}", i, number));
    }
    for (const TensorView& tensor : file.tensors()) {
      if (!names.insert(tensor.info.name).second) {
        return Fail(ErrorCode::kFormat, paths[i].string(),
                    fmt::format("tensor {} is in two shards", Quoted(tensor.info.name)));
      }
    }
  }
  if (model.metadata().Find("split.tensors.count") != nullptr) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t expected, model.metadata().GetUnsigned("split.tensors.count"));
    if (expected != names.size()) {
      return Fail(ErrorCode::kFormat, path.string(),
                  fmt::format("expected {} tensors in all shards, found {}", expected, names.size()));
    }
  }
  return model;
}

}  // namespace isoveil
