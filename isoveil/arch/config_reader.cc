#include "isoveil/arch/config_reader.h"

#include <algorithm>

namespace isoveil {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// No published model comes near it; larger numbers are damage or malice.
constexpr uint64_t kLargest = 1U << 24;

template <typename Json>
std::string Shown(const Json& value) {
  return Quoted(value.dump(-1, ' ', true, json::error_handler_t::replace));
}

// "hidden_size or n_embd"
std::string NamesInConfig(const Field& field) {
  std::string names;
  for (const std::string_view name : field.hf) {
    if (!name.empty()) names += (names.empty() ? "" : " or ") + std::string(name);
  }
  return names;
}

Result<uint64_t> CheckCount(std::string where, uint64_t value) {
  if (value >= 1 && value <= kLargest) return value;
  return Fail(ErrorCode::kFormat, std::move(where), fmt::format("expected 1 to {}, found {}", kLargest, value));
}

}  // namespace

const ordered_json* ConfigReader::hf() const { return hf_ == nullptr ? nullptr : &hf_->config(); }

std::optional<Pooling> ConfigReader::pooling() const {
  if (needed_pooling_ || hf_ == nullptr) return needed_pooling_;
  return hf_->sentence().pooling;
}

std::optional<ConfigReader::Member> ConfigReader::FindMember(const Field& field) {
  std::optional<Member> found;
  for (const std::string_view name : field.hf) {
    const auto it = name.empty() ? hf()->end() : hf()->find(name);
    if (it == hf()->end()) continue;
    kept_.insert(std::string(name));
    if (!found && !it->is_null()) found = {name, &*it};
  }
  return found;
}

std::string ConfigReader::Where(const Field& field) {
  if (hf() == nullptr) return GgufKey(field, architecture_);
  const std::optional<Member> member = FindMember(field);
  return fmt::format("config.json: {}", member ? std::string(member->name) : NamesInConfig(field));
}

std::string ConfigReader::GgufKey(const Field& field, std::string_view architecture) {
  if (field.gguf.starts_with("tokenizer.")) return std::string(field.gguf);
  return fmt::format("{}.{}", architecture, field.gguf);
}

Result<uint64_t> ConfigReader::Count(const Field& field, std::optional<uint64_t> otherwise) {
  std::optional<uint64_t> value;
  const std::string where = Where(field);
  if (hf() != nullptr) {
    if (const std::optional<Member> member = FindMember(field)) {
      if (!member->value->is_number_unsigned()) {
        return Fail(ErrorCode::kFormat, where,
                    fmt::format("expected a positive integer, found {}", Shown(*member->value)));
      }
      value = member->value->get<uint64_t>();
    }
  } else if (!field.gguf.empty() && gguf_->metadata().Find(where) != nullptr) {
    ISOVEIL_ASSIGN_OR_RETURN(value, gguf_->metadata().GetUnsigned(where));
  }
  if (!value && !otherwise) return Fail(ErrorCode::kNotFound, where, "is missing and has no default");
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t count, CheckCount(where, value ? *value : *otherwise));
  if (value) found_.push_back({field, count});
  const auto named = [&](const auto& entry) { return entry.first == field.name; };
  if (std::none_of(counts_.begin(), counts_.end(), named)) counts_.emplace_back(field.name, count);
  return count;
}

std::optional<uint64_t> ConfigReader::counted(const Field& field) const {
  for (const auto& [name, count] : counts_) {
    if (name == field.name) return count;
  }
  return std::nullopt;
}

Result<uint64_t> ConfigReader::Layers() {
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_layers, Count(field::kLayers));
  if (n_layers <= n_tensors_) return n_layers;
  return Fail(ErrorCode::kFormat, Where(field::kLayers),
              fmt::format("{} layers, but the checkpoint holds {} tensors", n_layers, n_tensors_),
              "the file and its configuration belong to different models, or tensors are missing");
}

Status ConfigReader::Keep(const Field& field) {
  if (hf() == nullptr) return Ok();
  const std::optional<Member> member = FindMember(field);
  if (!member) return Ok();
  if (!member->value->is_number()) {
    return Fail(ErrorCode::kFormat, fmt::format("config.json: {}", member->name),
                fmt::format("expected a number, found {}", Shown(*member->value)),
                "the file is damaged or of another kind of model; fetch it again");
  }
  found_.push_back({field, member->value->get<double>()});
  return Ok();
}

Status ConfigReader::Accept(std::string_view name, const std::vector<json>& values, std::string_view why) {
  if (hf() == nullptr) return Ok();
  const auto it = hf()->find(name);
  const json found = it == hf()->end() ? json() : json(*it);
  kept_.insert(std::string(name));
  if (std::find(values.begin(), values.end(), found) != values.end()) return Ok();
  return Fail(ErrorCode::kUnsupported, fmt::format("config.json: {}", name),
              fmt::format("{} is not covered: {}", Shown(found), why));
}

}  // namespace isoveil
