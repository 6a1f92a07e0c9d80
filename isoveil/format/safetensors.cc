#include "isoveil/format/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "isoveil/base/checked.h"
#include "isoveil/base/utf8.h"
#include "isoveil/format/lfs.h"
#include "isoveil/format/safetensors_header.h"

namespace isoveil {
namespace {

using Entry = SafetensorsHeader::Entry;

constexpr std::string_view kDamaged = "the file is damaged or incomplete; fetch it again";
constexpr uint64_t kDataAlignment = 8;

// Sorts the tensors by their data, which they must cover exactly, one after the other.
Status CheckCover(std::vector<Entry>& tensors, uint64_t data_bytes, const std::string& name) {
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const Entry& a, const Entry& b) { return a.data_offsets < b.data_offsets; });
  uint64_t end = 0;
  for (const Entry& tensor : tensors) {
    const uint64_t begin = tensor.data_offsets[0];
    if (begin != end) {
      return Fail(ErrorCode::kFormat, fmt::format("{}: tensor {}", name, Quoted(tensor.info.name)),
                  fmt::format("expected data at offset {}, found {}: tensors {}", end, begin,
                              begin < end ? "overlap" : "leave a hole"),
                  std::string(kDamaged));
    }
    end = tensor.data_offsets[1];
  }
  if (end == data_bytes) return Ok();
  return Fail(ErrorCode::kFormat, name, fmt::format("tensors need {} bytes of data, the file has {}", end, data_bytes),
              std::string(kDamaged));
}

// As a JSON string. The replacement of ill-formed UTF-8 keeps the serialiser from throwing; names are checked
// before.
std::string Json(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string MetadataJson(const std::map<std::string, std::string>& metadata) {
  std::string text;
  for (const auto& [key, value] : metadata) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", Json(key), Json(value));
  }
  return fmt::format("{}:{{{}}}", Json(kSafetensorsMetadata), text);
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
  ISOVEIL_RETURN_IF_ERROR(RefuseLfsPointer(bytes, name));
  uint64_t header_bytes = 0;
  if (bytes.size() < sizeof(header_bytes)) {
    return Fail(ErrorCode::kFormat, name,
                fmt::format("expected a header length, found a file of {} bytes", bytes.size()), std::string(kDamaged));
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  const std::span<const std::byte> rest = bytes.subspan(sizeof(header_bytes));
  if (header_bytes > kMaxSafetensorsHeader) {
    return Fail(ErrorCode::kFormat, name + ": offset 0",
                fmt::format("expected a header of at most {} bytes, found {}", kMaxSafetensorsHeader, header_bytes),
                "this is no safetensors file");
  }
  if (header_bytes > rest.size()) {
    return Fail(ErrorCode::kFormat, name + ": offset 0",
                fmt::format("a header of {} bytes does not fit in a file of {}", header_bytes, bytes.size()),
                std::string(kDamaged));
  }
  const std::string_view text(reinterpret_cast<const char*>(rest.data()), header_bytes);
  ISOVEIL_ASSIGN_OR_RETURN(SafetensorsHeader header, ParseSafetensorsHeader(text, name));
  const std::span<const std::byte> data = rest.subspan(header_bytes);
  ISOVEIL_RETURN_IF_ERROR(CheckCover(header.tensors, data.size(), name));

  SafetensorsFile file;
  file.metadata_ = std::move(header.metadata);
  for (Entry& tensor : header.tensors) {
    const auto [begin, end] = tensor.data_offsets;
    file.tensors_.push_back({std::move(tensor.info), data.subspan(begin, end - begin)});
  }
  return file;
}

void SafetensorsFile::Release(std::span<const std::byte> bytes) const {
  if (file_) file_->Release(static_cast<uint64_t>(bytes.data() - file_->bytes().data()), bytes.size());
}

Result<FileLayout> LayOutSafetensors(std::span<const TensorInfo> tensors,
                                     const std::map<std::string, std::string>& metadata) {
  FileLayout layout;
  std::string text = metadata.empty() ? "" : MetadataJson(metadata);
  std::set<std::string_view> names = {kSafetensorsMetadata};
  uint64_t end = 0;
  for (const TensorInfo& tensor : tensors) {
    const std::string where = fmt::format("tensor {}", Quoted(tensor.name));
    const auto type = SafetensorsName(tensor.type);
    if (!type) {
      return Fail(ErrorCode::kUnsupported, where, fmt::format("safetensors cannot hold {}", DTypeName(tensor.type)));
    }
    if (!IsCleanName(tensor.name, kMaxSafetensorsName)) {
      return Fail(ErrorCode::kInvalidArgument, where, "the name is not clean UTF-8");
    }
    if (!names.insert(tensor.name).second) {
      return Fail(ErrorCode::kInvalidArgument, where, "the name occurs twice or is reserved");
    }
    if (tensor.shape.size() > kMaxSafetensorsDims) {
      return Fail(ErrorCode::kUnsupported, where, fmt::format("has more than {} dimensions", kMaxSafetensorsDims));
    }
    const auto bytes = TensorBytes(tensor.type, tensor.shape);
    const auto next = bytes ? CheckedAdd(end, *bytes) : std::nullopt;
    if (!next) return Fail(ErrorCode::kInvalidArgument, where, "its size overflows");
    text += fmt::format(R"({}{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", text.empty() ? "" : ",",
                        Json(tensor.name), *type, fmt::join(tensor.shape, ","), end, *next);
    layout.offsets.push_back(end);
    end = *next;
  }
  text = fmt::format("{{{}}}", text);
  text.resize(*CheckedAlign(text.size(), kDataAlignment), ' ');
  const uint64_t length = text.size();
  if (length > kMaxSafetensorsHeader) {
    return Fail(ErrorCode::kInvalidArgument, "header",
                fmt::format("needs {} bytes, safetensors allows {}", length, kMaxSafetensorsHeader),
                "split the tensors over more files");
  }
  layout.header.assign(reinterpret_cast<const char*>(&length), sizeof(length));
  layout.header += text;
  for (uint64_t& offset : layout.offsets) offset += layout.header.size();
  const auto size = CheckedAdd(layout.header.size(), end);
  if (!size) return Fail(ErrorCode::kInvalidArgument, "file", "its size overflows");
  layout.size = *size;
  return layout;
}

}  // namespace isoveil
