#include "isoveil/format/safetensors.h"

#include <algorithm>
#include <cstring>

#include "isoveil/base/checked.h"
#include "isoveil/format/strict_json.h"
#include "isoveil/format/utf8.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr uint64_t kMaxName = 4096;
constexpr size_t kMaxDims = 8;
constexpr std::string_view kDamaged = "the file is damaged or incomplete; fetch it again";

struct RawTensor {
  TensorInfo info;
  uint64_t begin;
  uint64_t end;
};

Result<std::vector<uint64_t>> ReadUnsignedList(const ordered_json& entry, const char* field,
                                               const std::string& where) {
  const auto it = entry.find(field);
  if (it == entry.end() || !it->is_array()) {
    return Fail(ErrorCode::kFormat, where, fmt::format("expected a list in field '{}'", field));
  }
  std::vector<uint64_t> values;
  for (const ordered_json& value : *it) {
    if (!value.is_number_unsigned()) {
      return Fail(ErrorCode::kFormat, where,
                  fmt::format("expected non-negative integers in field '{}'", field));
    }
    values.push_back(value.get<uint64_t>());
  }
  return values;
}

Result<RawTensor> ReadTensor(const std::string& name, const ordered_json& entry, const std::string& where) {
  if (!IsCleanName(name, kMaxName)) return Fail(ErrorCode::kFormat, where, "the name is not clean UTF-8");
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string()) {
    return Fail(ErrorCode::kFormat, where, "expected an object with a string in field 'dtype'");
  }
  RawTensor tensor;
  tensor.info.name = name;
  const Result<DType> type = DTypeFromSafetensors(entry["dtype"].get<std::string>());
  if (!type) return Fail(type.error().code, where, type.error().problem, type.error().hint);
  tensor.info.type = *type;
  ISOVEIL_ASSIGN_OR_RETURN(tensor.info.shape, ReadUnsignedList(entry, "shape", where));
  if (tensor.info.shape.size() > kMaxDims) {
    return Fail(ErrorCode::kFormat, where, fmt::format("expected at most {} dimensions", kMaxDims));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<uint64_t> offsets,
                           ReadUnsignedList(entry, "data_offsets", where));
  const auto bytes = TensorBytes(tensor.info.type, tensor.info.shape);
  if (!bytes)
    return Fail(ErrorCode::kFormat, where, fmt::format("shape {} overflows", ShapeName(tensor.info.shape)));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] - offsets[0] != *bytes) {
    return Fail(ErrorCode::kFormat, where,
                fmt::format("expected data_offsets that span {} bytes for {} {}, found {}", *bytes,
                            DTypeName(tensor.info.type), ShapeName(tensor.info.shape), ShapeName(offsets)));
  }
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  return tensor;
}

Result<std::map<std::string, std::string>> ReadMetadata(const ordered_json& entry, const std::string& name) {
  std::map<std::string, std::string> metadata;
  const auto fail = [&] {
    return Fail(ErrorCode::kFormat, name + ": __metadata__", "expected strings by name");
  };
  if (!entry.is_object()) return fail();
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) return fail();
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// The tensors must cover the data exactly, one after the other.
Status CheckCover(std::vector<RawTensor>& tensors, uint64_t data_bytes, const std::string& name) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const RawTensor& a, const RawTensor& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t end = 0;
  for (const RawTensor& tensor : tensors) {
    if (tensor.begin != end) {
      return Fail(ErrorCode::kFormat, fmt::format("{}: tensor {}", name, Quoted(tensor.info.name)),
                  fmt::format("expected data at offset {}, found {}: tensors {}", end, tensor.begin,
                              tensor.begin < end ? "overlap" : "leave a hole"),
                  std::string(kDamaged));
    }
    end = tensor.end;
  }
  if (end == data_bytes) return Ok();
  return Fail(ErrorCode::kFormat, name,
              fmt::format("tensors need {} bytes of data, the file has {}", end, data_bytes),
              std::string(kDamaged));
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::Open(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  auto file = std::make_shared<const MappedFile>(std::move(mapped));
  ISOVEIL_ASSIGN_OR_RETURN(SafetensorsFile parsed, Parse(file->bytes(), path.string()));
  parsed.file_ = std::move(file);
  return parsed;
}

Result<SafetensorsFile> SafetensorsFile::Parse(std::span<const std::byte> bytes, const std::string& name) {
  uint64_t header_bytes = 0;
  if (bytes.size() < sizeof(header_bytes)) {
    return Fail(ErrorCode::kFormat, name,
                fmt::format("expected a header length, found a file of {} bytes", bytes.size()),
                std::string(kDamaged));
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("version https://git-lfs")) {
    return Fail(ErrorCode::kFormat, name, "is a Git LFS pointer, not the weights", "run: git lfs pull");
  }
  if (header_bytes > kMaxHeader || header_bytes > bytes.size() - sizeof(header_bytes)) {
    return Fail(ErrorCode::kFormat, name + ": offset 0",
                fmt::format("a header of {} bytes does not fit in a file of {}", header_bytes, bytes.size()),
                std::string(kDamaged));
  }
  ISOVEIL_ASSIGN_OR_RETURN(
      const ordered_json header,
      ParseStrictJson(text.substr(sizeof(header_bytes), header_bytes), name + ": header"));
  if (!header.is_object()) return Fail(ErrorCode::kFormat, name + ": header", "expected a JSON object");

  SafetensorsFile file;
  std::vector<RawTensor> tensors;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      ISOVEIL_ASSIGN_OR_RETURN(file.metadata_, ReadMetadata(entry, name));
      continue;
    }
    ISOVEIL_ASSIGN_OR_RETURN(RawTensor tensor,
                             ReadTensor(key, entry, fmt::format("{}: tensor {}", name, Quoted(key))));
    tensors.push_back(std::move(tensor));
  }
  const std::span<const std::byte> data = bytes.subspan(sizeof(header_bytes) + header_bytes);
  ISOVEIL_RETURN_IF_ERROR(CheckCover(tensors, data.size(), name));
  for (RawTensor& tensor : tensors) {
    file.tensors_.push_back({std::move(tensor.info), data.subspan(tensor.begin, tensor.end - tensor.begin)});
  }
  return file;
}

Result<FileLayout> LayOutSafetensors(std::span<const TensorInfo> tensors,
                                     const std::map<std::string, std::string>& metadata) {
  ordered_json header = ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  FileLayout layout;
  uint64_t end = 0;
  for (const TensorInfo& tensor : tensors) {
    const std::string where = fmt::format("tensor {}", Quoted(tensor.name));
    const auto type = SafetensorsName(tensor.type);
    if (!type) {
      return Fail(ErrorCode::kUnsupported, where,
                  fmt::format("safetensors cannot hold {}", DTypeName(tensor.type)));
    }
    const auto bytes = TensorBytes(tensor.type, tensor.shape);
    const auto next = bytes ? CheckedAdd(end, *bytes) : std::nullopt;
    if (!next) return Fail(ErrorCode::kFormat, where, "its size overflows");
    header[tensor.name] = {{"dtype", *type}, {"shape", tensor.shape}, {"data_offsets", {end, *next}}};
    layout.offsets.push_back(end);
    end = *next;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  layout.header.resize(sizeof(length));
  std::memcpy(layout.header.data(), &length, sizeof(length));
  layout.header += text;
  for (uint64_t& offset : layout.offsets) offset += layout.header.size();
  layout.size = layout.header.size() + end;
  return layout;
}

}  // namespace isoveil
