#include "isoveil/model/architecture.h"

#include <algorithm>
#include <array>

#include "isoveil/model/architectures/table.h"

namespace isoveil {
namespace {

using nlohmann::json;

// No published model comes near these; larger numbers are damage or malice.
constexpr uint64_t kMaxDimension = 1U << 24;
constexpr uint64_t kMaxLayers = 4096;

std::string SupportedClasses() {
  std::string list;
  for (const Architecture* architecture : Architectures()) {
    for (const HfClass& hf_class : architecture->hf_classes)
      list += (list.empty() ? "" : ", ") + std::string(hf_class.name);
  }
  return list;
}

std::string SupportedGguf() {
  std::string list;
  for (const Architecture* a : Architectures()) list += (list.empty() ? "" : ", ") + std::string(a->name);
  return list;
}

constexpr std::string_view kHowToAdd =
    "an architecture is a declaration in isoveil/model/architectures: its operations and tensor names";

struct FoundClass {
  const Architecture* architecture;
  const HfClass* hf_class;
};

// The first declared class that `matches`.
template <typename Matches>
std::optional<FoundClass> FindClass(const Matches& matches) {
  for (const Architecture* architecture : Architectures()) {
    for (const HfClass& hf_class : architecture->hf_classes) {
      if (matches(hf_class)) return FoundClass{architecture, &hf_class};
    }
  }
  return std::nullopt;
}

std::string TextOf(const json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

Result<FoundClass> FindHf(const json& config) {
  const json classes = config.value("architectures", json());
  const std::string type = TextOf(config.value("model_type", json()));
  const bool named = !classes.is_null() && !(classes.is_array() && classes.empty());
  const std::string name = classes.is_array() && !classes.empty() ? TextOf(classes.front()) : "";
  if (named ? name.empty() : type.empty()) {
    return Fail(ErrorCode::kFormat, "config.json: architectures",
                "expected a list with one class name, or a model_type");
  }
  const auto found = FindClass([&](const HfClass& c) {
    if (!named) return c.model_type == type;
    return c.name == name || std::find(c.aliases.begin(), c.aliases.end(), name) != c.aliases.end();
  });
  if (found) return *found;
  return Fail(
      ErrorCode::kUnsupported, fmt::format("config.json: {}", named ? "architectures" : "model_type"),
      fmt::format("{} is not declared; supported are {}", Quoted(named ? name : type), SupportedClasses()),
      std::string(kHowToAdd));
}

Result<const Architecture*> FindGguf(const GgufMetadata& metadata) {
  if (const auto type = metadata.GetString("general.type"); type && *type == "adapter") {
    return Fail(ErrorCode::kUnsupported, "general.type", "the file is a LoRA adapter and no model",
                "merge it into its model: llama-export-lora -m BASE.gguf --lora FILE -o MERGED.gguf");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string name, metadata.GetString("general.architecture"));
  for (const Architecture* architecture : Architectures()) {
    if (architecture->name == name) return architecture;
  }
  return Fail(ErrorCode::kUnsupported, "general.architecture",
              fmt::format("{} is not declared; supported are {}", Quoted(name), SupportedGguf()),
              std::string(kHowToAdd));
}

Status CheckRequirements(std::span<const Architecture::Requirement> requirements, const json& config,
                         std::string_view hint) {
  for (const auto& requirement : requirements) {
    const json found = config.value(std::string(requirement.field), json());
    const auto& accepted = requirement.accepted;
    if (std::find(accepted.begin(), accepted.end(), found) != accepted.end()) continue;
    return Fail(ErrorCode::kUnsupported, fmt::format("config.json: {}", requirement.field),
                fmt::format("{} is not covered: {}", Quoted(found.dump()), requirement.why), std::string(hint));
  }
  return Ok();
}

// The value of a field in the source, or nullopt if it is absent or null.
Result<std::optional<uint64_t>> ReadField(const HparamField& field, const Architecture& architecture,
                                          const Checkpoint& checkpoint) {
  if (const HfFolder* hf = checkpoint.hf()) {
    if (field.hf.empty()) return std::optional<uint64_t>();
    const auto it = hf->config().find(field.hf);
    if (it == hf->config().end() || it->is_null()) return std::optional<uint64_t>();
    if (!it->is_number_unsigned()) {
      return Fail(ErrorCode::kFormat, fmt::format("config.json: {}", field.hf),
                  fmt::format("expected a positive integer, found {}", Quoted(it->dump())));
    }
    return std::optional<uint64_t>(it->get<uint64_t>());
  }
  if (field.gguf.empty()) return std::optional<uint64_t>();
  const std::string key = fmt::format("{}.{}", architecture.name, field.gguf);
  const GgufMetadata& metadata = checkpoint.gguf()->metadata();
  if (metadata.Find(key) == nullptr) return std::optional<uint64_t>();
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t value, metadata.GetUnsigned(key));
  return std::optional<uint64_t>(value);
}

Status CheckDimensions(const Hparams& h) {
  const auto require = [](bool holds, std::string problem) -> Status {
    if (holds) return Ok();
    return Fail(ErrorCode::kFormat, "dimensions", std::move(problem));
  };
  for (const uint64_t dim :
       {h.n_layers, h.width, h.ffn_width, h.n_heads, h.kv_heads, h.head_dim, h.n_positions}) {
    ISOVEIL_RETURN_IF_ERROR(require(dim > 0 && dim <= kMaxDimension,
                                    fmt::format("expected 1 to {}, found {}", kMaxDimension, dim)));
  }
  ISOVEIL_RETURN_IF_ERROR(require(
      h.n_layers <= kMaxLayers, fmt::format("expected at most {} layers, found {}", kMaxLayers, h.n_layers)));
  ISOVEIL_RETURN_IF_ERROR(
      require(h.n_heads % h.kv_heads == 0,
              fmt::format("{} query heads do not share {} key/value heads", h.n_heads, h.kv_heads)));
  return require(h.rotary_dim <= h.head_dim && h.rotary_dim % 2 == 0,
                 fmt::format("RoPE on {} of {} coordinates of a head: expected an even number of them",
                             h.rotary_dim, h.head_dim));
}

}  // namespace

std::span<const Architecture* const> Architectures() {
  static const std::array kTable = {&LlamaArchitecture(), &Gpt2Architecture()};
  return kTable;
}

Result<const Architecture*> FindArchitecture(const Checkpoint& checkpoint) {
  if (const HfFolder* hf = checkpoint.hf()) {
    ISOVEIL_ASSIGN_OR_RETURN(const FoundClass found, FindHf(hf->config()));
    return found.architecture;
  }
  return FindGguf(checkpoint.gguf()->metadata());
}

Result<std::string> HfClassName(const json& config) {
  ISOVEIL_ASSIGN_OR_RETURN(const FoundClass found, FindHf(config));
  return std::string(found.hf_class->name);
}

Result<Hparams> ReadHparams(const Architecture& architecture, const Checkpoint& checkpoint) {
  if (const HfFolder* hf = checkpoint.hf()) {
    ISOVEIL_RETURN_IF_ERROR(CheckRequirements(architecture.requirements, hf->config(), kHowToAdd));
  }
  Hparams hparams;
  for (const HparamField& field : architecture.hparams) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::optional<uint64_t> value, ReadField(field, architecture, checkpoint));
    if (value) {
      hparams.*field.member = *value;
    } else if (field.fallback != nullptr) {
      hparams.*field.member = field.fallback(hparams);
    } else {
      return Fail(ErrorCode::kNotFound,
                  checkpoint.hf() != nullptr ? fmt::format("config.json: {}", field.hf)
                                             : fmt::format("{}.{}", architecture.name, field.gguf),
                  "is missing and has no default");
    }
  }
  ISOVEIL_RETURN_IF_ERROR(CheckDimensions(hparams));
  return hparams;
}

Status CheckGgufRequirements(const Architecture& architecture, const json& config) {
  return CheckRequirements(architecture.gguf_requirements, config,
                           "encrypt to Hugging Face format, which keeps the field");
}

bool IsCarried(const Architecture& architecture, std::string_view config_field, FormatKind target) {
  const auto named = [&](const auto& fields, const auto name) {
    return std::any_of(fields.begin(), fields.end(), [&](const auto& field) { return name(field) == config_field; });
  };
  const auto itself = [](std::string_view field) { return field; };
  if (target == FormatKind::kHuggingFace) return named(architecture.hf_config_fields, itself);
  const auto required = [](const Architecture::Requirement& requirement) { return requirement.field; };
  return named(architecture.hparams, [](const HparamField& field) { return field.hf; }) ||
         named(architecture.gguf_fields, [](const GgufField& field) { return field.hf; }) ||
         named(architecture.requirements, required) || named(architecture.gguf_requirements, required) ||
         named(architecture.gguf_derived_fields, itself) ||
         // The architecture's own name, and what the weights tell.
         named(std::array<std::string_view, 4>{"architectures", "model_type", "vocab_size", "tie_word_embeddings"},
               itself);
}

const FormatNames& NamesIn(const Architecture& architecture, FormatKind format) {
  return format == FormatKind::kHuggingFace ? architecture.hf : architecture.gguf;
}

std::string LayerName(std::string_view pattern, uint64_t layer) {
  std::string name(pattern);
  if (const size_t at = name.find("{}"); at != std::string::npos) name.replace(at, 2, std::to_string(layer));
  return name;
}

std::vector<StoredTensor> InstantiateTensors(const FormatNames& names, uint64_t n_layers) {
  std::vector<StoredTensor> all;
  const auto add = [&](const StoredTensor& pattern, uint64_t layer) {
    StoredTensor tensor = pattern;
    tensor.name = LayerName(pattern.name, layer);
    for (std::string& role : tensor.roles) role = LayerName(role, layer);
    all.push_back(std::move(tensor));
  };
  for (const StoredTensor& pattern : names.tensors) {
    if (!IsLayerPattern(pattern.name)) add(pattern, 0);
  }
  for (uint64_t layer = 0; layer < n_layers; ++layer) {
    for (const StoredTensor& pattern : names.tensors) {
      if (IsLayerPattern(pattern.name)) add(pattern, layer);
    }
  }
  return all;
}

}  // namespace isoveil
