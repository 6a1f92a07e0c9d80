#include "isoveil/arch/family.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

using nlohmann::json;

std::string SupportedClasses() {
  std::string list;
  for (const Family& family : Families()) {
    for (const HfClass& hf_class : family.hf_classes) list += (list.empty() ? "" : ", ") + std::string(hf_class.name);
  }
  return list;
}

bool IsReadFromGguf(const Family& family) { return family.to_gguf != nullptr && family.gguf_architecture.empty(); }

std::string SupportedGguf() {
  std::string list;
  for (const Family& family : Families()) {
    if (IsReadFromGguf(family)) list += (list.empty() ? "" : ", ") + std::string(family.name);
  }
  return list;
}

constexpr std::string_view kHowToAdd =
    "a family is a declaration in isoveil/arch/families: its operations and the names of its weights";

struct FoundClass {
  const Family* family;
  const HfClass* hf_class;
};

// The first declared class that `matches`.
template <typename Matches>
std::optional<FoundClass> FindClass(const Matches& matches) {
  for (const Family& family : Families()) {
    for (const HfClass& hf_class : family.hf_classes) {
      if (matches(hf_class)) return FoundClass{&family, &hf_class};
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
  return Fail(ErrorCode::kUnsupported, fmt::format("config.json: {}", named ? "architectures" : "model_type"),
              fmt::format("{} is not declared; supported are {}", Quoted(named ? name : type), SupportedClasses()),
              std::string(kHowToAdd));
}

Result<const Family*> FindGguf(const GgufMetadata& metadata) {
  if (const auto type = metadata.GetString("general.type"); type && *type == "adapter") {
    return Fail(ErrorCode::kUnsupported, "general.type", "the file is a LoRA adapter and no model",
                "merge it into its model: llama-export-lora -m BASE.gguf --lora FILE -o MERGED.gguf");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string name, metadata.GetString("general.architecture"));
  for (const Family& family : Families()) {
    if (family.name == name && IsReadFromGguf(family)) return &family;
  }
  return Fail(ErrorCode::kUnsupported, "general.architecture",
              fmt::format("{} is not declared; supported are {}", Quoted(name), SupportedGguf()),
              std::string(kHowToAdd));
}

// Shape, rounding and training: what every engine reads and no declaration does.
constexpr std::array<std::string_view, 14> kPublicFields = {
    "architectures", "model_type",        "vocab_size",        "torch_dtype",        "dtype",
    "use_cache",     "initializer_range", "attention_dropout", "hidden_dropout",     "embd_pdrop",
    "attn_pdrop",    "resid_pdrop",       "rope_theta",        "tie_word_embeddings"};

// JSON holds numbers that mean nothing here, such as a factor of 0 or a base beyond a float.
Status CheckFinite(std::string_view name, float number) {
  if (std::isfinite(number)) return Ok();
  return Fail(ErrorCode::kFormat, fmt::format("config.json: {}", name),
              fmt::format("expected a finite number, comes out as {}", number),
              "the file is damaged or of another kind of model; fetch it again");
}

Status CheckNumbers(const GgufDescription& gguf) {
  for (const auto& [key, value] : gguf.metadata) {
    if (const float* number = std::get_if<float>(&value)) ISOVEIL_RETURN_IF_ERROR(CheckFinite(key, *number));
  }
  for (const DerivedTensor& tensor : gguf.derived) {
    for (const float number : tensor.values) ISOVEIL_RETURN_IF_ERROR(CheckFinite(tensor.role, number));
  }
  return Ok();
}

}  // namespace

std::span<const Family> Families() {
  static const std::array kTable = {
      AlbertFamily(),  BertFamily(),       BloomFamily(),     CohereFamily(),   Cohere2Family(),  DistilbertFamily(),
      ElectraFamily(), Exaone4Family(),    FalconFamily(),    GemmaFamily(),    Gemma2Family(),   Gemma3Family(),
      GlmFamily(),     Gpt2Family(),       GptJFamily(),      GptNeoxFamily(),  GraniteFamily(),  LlamaFamily(),
      MixtralFamily(), ModernbertFamily(), MpnetFamily(),     MptFamily(),      NemotronFamily(), OlmoFamily(),
      Olmo2Family(),   Olmo3Family(),      OlmoeFamily(),     OptFamily(),      PhiFamily(),      Phi3Family(),
      Qwen2Family(),   Qwen2MoeFamily(),   Qwen3Family(),     Qwen3MoeFamily(), RobertaFamily(),  SeedOssFamily(),
      Smollm3Family(), StablelmFamily(),   Starcoder2Family()};
  return kTable;
}

Result<const Family*> FindFamily(const Checkpoint& checkpoint) {
  if (const HfFolder* hf = checkpoint.hf()) {
    ISOVEIL_ASSIGN_OR_RETURN(const FoundClass found, FindHf(hf->config()));
    return found.family;
  }
  return FindGguf(checkpoint.gguf()->metadata());
}

Result<std::string> HfClassName(const json& config) {
  ISOVEIL_ASSIGN_OR_RETURN(const FoundClass found, FindHf(config));
  return std::string(found.hf_class->name);
}

const Dialect& DialectOf(const Family& family, FormatKind format) {
  return format == FormatKind::kHuggingFace ? family.hf : family.gguf;
}

std::string_view GgufArchitecture(const Family& family) {
  return family.gguf_architecture.empty() ? family.name : family.gguf_architecture;
}

bool IsPublicField(const Family& family, std::string_view name) {
  const auto has = [&](const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  return has(kPublicFields) || has(family.public_fields);
}

Result<GgufDescription> ConvertDescription(const Family& family, ConfigReader& config, uint64_t n_vocab) {
  if (family.to_gguf == nullptr) {
    return Fail(ErrorCode::kUnsupported, "target format",
                fmt::format("family {} has no conversion to GGUF", family.name),
                "leave out --to gguf: a Hugging Face folder becomes a Hugging Face folder");
  }
  GgufDescription gguf{.architecture = std::string(GgufArchitecture(family)), .metadata = {}, .derived = {}};
  gguf.metadata.Set("general.architecture", gguf.architecture);
  for (const ConfigReader::Found& found : config.found()) {
    if (found.field.gguf.empty()) continue;
    const std::string key = ConfigReader::GgufKey(found.field, gguf.architecture);
    if (const uint64_t* count = std::get_if<uint64_t>(&found.value)) {
      gguf.metadata.Set(key, static_cast<uint32_t>(*count));
    } else {
      gguf.metadata.Set(key, static_cast<float>(std::get<double>(found.value)));
    }
  }
  ISOVEIL_RETURN_IF_ERROR(family.to_gguf(config, n_vocab, gguf));
  ISOVEIL_RETURN_IF_ERROR(CheckNumbers(gguf));
  // The weights tell the last two.
  config.Keep({"architectures", "model_type", "vocab_size", "tie_word_embeddings"});
  return gguf;
}

}  // namespace isoveil
