#include "isoveil/format/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "isoveil/base/utf8.h"

namespace isoveil {
namespace {

// Receives the parser's events. Where it stands in the document decides what may come next.
class HeaderReader {
 public:
  explicit HeaderReader(const std::string& name) : name_(name) {}

  bool null() {
    // Some writers' way to say that there is none.
    if (place_ != Place::kTop || tensor_ != kSafetensorsMetadata || metadata_seen_) return Unexpected("null");
    return metadata_seen_ = true;
  }
  bool boolean(bool) { return Unexpected("a bool"); }
  bool number_integer(int64_t value) { return Unexpected(fmt::format("{}", value)); }
  bool number_float(double, const std::string&) { return Unexpected("a fraction or a number out of range"); }
  bool binary(nlohmann::json::binary_t&) { return Unexpected("binary data"); }

  bool number_unsigned(uint64_t value) {
    if (place_ == Place::kShape) {
      if (entry_.info.shape.size() == kMaxSafetensorsDims)
        return Refuse(fmt::format("expected at most {} dimensions", kMaxSafetensorsDims));
      entry_.info.shape.push_back(value);
      return true;
    }
    if (place_ == Place::kOffsets) {
      if (n_offsets_ == 2) return Refuse("expected 2 numbers in field 'data_offsets', found more");
      entry_.data_offsets[n_offsets_++] = value;
      return true;
    }
    return Unexpected(fmt::format("{}", value));
  }

  bool string(std::string& value) {
    if (place_ == Place::kMetadata) {
      return header_.metadata.emplace(field_, std::move(value)).second || Refuse("occurs twice");
    }
    if (place_ != Place::kTensor || field_ != "dtype") return Unexpected("a string");
    const Result<DType> type = DTypeFromSafetensors(value);
    if (!type) {
      error_ = type.error();
      error_->where = Where();
      return false;
    }
    entry_.info.type = *type;
    return true;
  }

  bool key(std::string& key) {
    if (place_ == Place::kTop) {
      tensor_ = std::move(key);
      return true;
    }
    field_ = std::move(key);
    if (place_ == Place::kMetadata) return true;
    for (size_t i = 0; i < kFields.size(); ++i) {
      if (field_ != kFields[i]) continue;
      if (seen_[i]) return Refuse(fmt::format("field '{}' occurs twice", field_));
      return seen_[i] = true;
    }
    return Refuse(fmt::format("expected the fields dtype, shape and data_offsets, found {}", Quoted(field_)));
  }

  bool start_object(size_t) {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
      return true;
    }
    if (place_ != Place::kTop) return Unexpected("an object");
    if (tensor_ == kSafetensorsMetadata) {
      if (metadata_seen_) return Refuse("occurs twice");
      metadata_seen_ = true;
      place_ = Place::kMetadata;
      return true;
    }
    if (!IsCleanName(tensor_, kMaxSafetensorsName)) {
      return Refuse(fmt::format("the name is not clean UTF-8 of 1 to {} bytes", kMaxSafetensorsName));
    }
    place_ = Place::kTensor;
    entry_ = {};
    entry_.info.name = tensor_;
    seen_ = {};
    n_offsets_ = 0;
    return true;
  }

  bool end_object() {
    if (place_ == Place::kTensor && !FinishTensor()) return false;
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool start_array(size_t) {
    if (place_ != Place::kTensor || field_ == "dtype") return Unexpected("a list");
    place_ = field_ == "shape" ? Place::kShape : Place::kOffsets;
    return true;
  }

  bool end_array() {
    place_ = Place::kTensor;
    return true;
  }

  bool parse_error(size_t offset, const std::string&, const nlohmann::json::exception&) {
    error_ =
        Error{ErrorCode::kFormat, fmt::format("{}: header: offset {}", name_, offset), "is no well-formed JSON", ""};
    return false;
  }

  Result<SafetensorsHeader> Finish() && {
    if (!error_) CheckNamesAreUnique();
    if (!error_) return std::move(header_);
    if (error_->hint.empty()) error_->hint = "the file is damaged; fetch it again";
    return tl::unexpected(*std::move(error_));
  }

 private:
  enum class Place { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };
  static constexpr std::array<std::string_view, 3> kFields = {"dtype", "shape", "data_offsets"};

  std::string Where() const {
    switch (place_) {
      case Place::kStart:
      case Place::kEnd: return name_ + ": header";
      case Place::kMetadata: return fmt::format("{}: {} {}", name_, kSafetensorsMetadata, Quoted(field_));
      default: return fmt::format("{}: tensor {}", name_, Quoted(tensor_));
    }
  }

  bool Refuse(std::string problem) {
    error_ = Error{ErrorCode::kFormat, Where(), std::move(problem), ""};
    return false;
  }

  bool Unexpected(std::string_view found) {
    switch (place_) {
      case Place::kStart: return Refuse(fmt::format("expected a JSON object, found {}", found));
      case Place::kMetadata: return Refuse(fmt::format("expected strings by name, found {}", found));
      case Place::kShape:
      case Place::kOffsets:
        return Refuse(fmt::format("expected non-negative integers in field '{}', found {}", field_, found));
      case Place::kTensor:
        return Refuse(
            fmt::format("expected a {} in field '{}', found {}", field_ == "dtype" ? "string" : "list", field_, found));
      default: return Refuse(fmt::format("expected an object, found {}", found));
    }
  }

  bool FinishTensor() {
    for (size_t i = 0; i < kFields.size(); ++i) {
      if (!seen_[i]) return Refuse(fmt::format("field '{}' is missing", kFields[i]));
    }
    const TensorInfo& info = entry_.info;
    const auto [begin, end] = entry_.data_offsets;
    const auto bytes = TensorBytes(info.type, info.shape);
    if (!bytes) return Refuse(fmt::format("shape {} of {} overflows", ShapeName(info.shape), DTypeName(info.type)));
    if (n_offsets_ != 2 || begin > end || end - begin != *bytes) {
      const std::span<const uint64_t> found(entry_.data_offsets.data(), n_offsets_);
      return Refuse(fmt::format("expected data_offsets that span {} bytes for {} {}, found {}", *bytes,
                                DTypeName(info.type), ShapeName(info.shape), ShapeName(found)));
    }
    header_.tensors.push_back(std::move(entry_));
    return true;
  }

  void CheckNamesAreUnique() {
    std::vector<std::string_view> names;
    for (const auto& tensor : header_.tensors) names.push_back(tensor.info.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice == names.end()) return;
    tensor_ = *twice;
    place_ = Place::kTop;
    Refuse("occurs twice");
  }

  const std::string& name_;
  SafetensorsHeader header_;
  Place place_ = Place::kStart;
  std::string tensor_;  // the key at the top: a tensor or the metadata
  std::string field_;   // the key below it
  SafetensorsHeader::Entry entry_;
  std::array<bool, 3> seen_ = {};
  size_t n_offsets_ = 0;
  bool metadata_seen_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text, const std::string& name) {
  if (!text.starts_with('{')) {
    return Fail(ErrorCode::kFormat, name + ": header", "expected a JSON object at once", "this is no safetensors file");
  }
  // nlohmann takes a NUL for the end of the text and would not look at what follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: header: offset {}", name, nul + 1), "is no well-formed JSON",
                "the file is damaged; fetch it again");
  }
  HeaderReader reader(name);
  nlohmann::json::sax_parse(text, &reader);
  return std::move(reader).Finish();
}

}  // namespace isoveil
