#include "isoveil/format/lora.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr const char* kMerge =
    "merge it with PEFT, AutoPeftModelForCausalLM.from_pretrained(ADAPTER).merge_and_unload().save_pretrained(MERGED), "
    "and encrypt MERGED";
constexpr std::string_view kPrefix = "base_model.model.";

// Fields that tell of training and of origin, or that other checks here cover.
constexpr std::array<std::string_view, 22> kWithoutEffect = {"auto_mapping",
                                                             "base_model_name_or_path",
                                                             "revision",
                                                             "task_type",
                                                             "inference_mode",
                                                             "lora_dropout",
                                                             "target_modules",
                                                             "exclude_modules",
                                                             "layers_to_transform",
                                                             "layers_pattern",
                                                             "megatron_core",
                                                             "loftq_config",
                                                             "eva_config",
                                                             "corda_config",
                                                             "peft_version",
                                                             "runtime_config",
                                                             "ensure_weight_tying",
                                                             "peft_type",
                                                             "r",
                                                             "lora_alpha",
                                                             "use_rslora",
                                                             "fan_in_fan_out"};
constexpr std::array<std::string_view, 4> kReadBelow = {"rank_pattern", "alpha_pattern", "init_lora_weights", "bias"};
// Initialisations that leave the model's own weights as they are.
constexpr std::array<std::string_view, 3> kHarmless = {"gaussian", "orthogonal", "eva"};

bool Says(const ordered_json& value) {
  if (value.is_boolean()) return value.get<bool>();
  return !value.is_null() && !((value.is_object() || value.is_array()) && value.empty());
}

tl::unexpected<Error> Refused(const Path& file, std::string what) {
  return Fail(ErrorCode::kUnsupported, file.string(), std::move(what), kMerge);
}

Status CheckFields(const ordered_json& config, const Path& file) {
  const auto is_in = [](const auto& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (config.value("peft_type", ordered_json()) != "LORA") {
    return Refused(file,
                   fmt::format("peft_type is {}; expected \"LORA\"", config.value("peft_type", ordered_json()).dump()));
  }
  for (const auto& [name, value] : config.items()) {
    if (is_in(kWithoutEffect, name) || is_in(kReadBelow, name) || !Says(value)) continue;
    return Refused(file, fmt::format("{} changes more than W + scale * B A, or has no rule here", Quoted(name)));
  }
  if (const auto bias = config.find("bias"); bias != config.end() && Says(*bias) && *bias != "none")
    return Refused(file, fmt::format("bias is {}: trained biases have no rule here", bias->dump()));
  const auto init = config.find("init_lora_weights");
  if (init == config.end() || init->is_boolean() || init->is_null()) return Ok();
  if (init->is_string() && is_in(kHarmless, init->get<std::string>())) return Ok();
  return Refused(file,
                 fmt::format("init_lora_weights is {}, which changes the model's own weights, too", init->dump()));
}

Result<double> Number(const ordered_json& object, const std::string& name, double otherwise, const Path& file) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null()) return otherwise;
  if (it->is_number() && std::isfinite(it->get<double>())) return it->get<double>();
  return Fail(ErrorCode::kFormat, file.string(),
              fmt::format("{}: expected a number, found {}", Quoted(name), it->dump()));
}

Result<bool> Flag(const ordered_json& config, const std::string& name, const Path& file) {
  const auto it = config.find(name);
  if (it == config.end() || it->is_null()) return false;
  if (it->is_boolean()) return it->get<bool>();
  return Fail(ErrorCode::kFormat, file.string(),
              fmt::format("{}: expected true or false, found {}", Quoted(name), it->dump()));
}

// The value of a pattern's first key that is the module's name or its end, as PEFT looks them up. Keys that are regular
// expressions are refused.
Result<double> Patterned(const ordered_json& config, const std::string& field, const std::string& module,
                         double otherwise, const Path& file) {
  const auto pattern = config.find(field);
  if (pattern == config.end() || !Says(*pattern)) return otherwise;
  if (!pattern->is_object())
    return Fail(ErrorCode::kFormat, file.string(), fmt::format("{}: expected an object", Quoted(field)));
  for (const auto& [key, value] : pattern->items()) {
    const bool plain = std::all_of(key.begin(), key.end(),
                                   [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; });
    if (!plain)
      return Refused(file, fmt::format("{}: the regular expression {} has no rule here", Quoted(field), Quoted(key)));
    if (module == key || module.ends_with("." + key)) return Number(*pattern, key, otherwise, file);
  }
  return otherwise;
}

Result<double> ScaleOf(const ordered_json& config, const std::string& module, uint64_t rank, const Path& file) {
  ISOVEIL_ASSIGN_OR_RETURN(const double whole_rank, Number(config, "r", 8, file));
  ISOVEIL_ASSIGN_OR_RETURN(const double expected, Patterned(config, "rank_pattern", module, whole_rank, file));
  if (expected != static_cast<double>(rank)) {
    return Fail(ErrorCode::kFormat, file.string(),
                fmt::format("module {}: expected rank {}, found {}", Quoted(module), expected, rank),
                "configuration and weights belong to different adapters");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const double whole_alpha, Number(config, "lora_alpha", 8, file));
  ISOVEIL_ASSIGN_OR_RETURN(const double alpha, Patterned(config, "alpha_pattern", module, whole_alpha, file));
  ISOVEIL_ASSIGN_OR_RETURN(const bool rank_stable, Flag(config, "use_rslora", file));
  return alpha / (rank_stable ? std::sqrt(expected) : expected);
}

// Takes A and B of each module; an update with only one of them has an empty shape in the other.
Result<std::map<std::string, LowRankUpdate>> Pair(const SafetensorsFile& file, const Path& path) {
  std::map<std::string, LowRankUpdate> updates;
  for (const TensorView& tensor : file.tensors()) {
    const std::string& name = tensor.info.name;
    const size_t end = std::max(name.rfind(".lora_A.weight") + 1, name.rfind(".lora_B.weight") + 1);
    if (!name.starts_with(kPrefix) || end <= kPrefix.size() ||
        end - 1 + std::string_view(".lora_A.weight").size() != name.size())
      return Refused(path, fmt::format("tensor {} is no A or B of LoRA and has no rule here", Quoted(name)));
    const DType type = tensor.info.type;
    if (tensor.info.shape.size() != 2 || ElementCount(tensor.info.shape) == 0U || !IsPlainFloat(type) ||
        type == DType::kF64) {
      return Refused(path, fmt::format("tensor {}: expected a matrix of F32, F16 or BF16, found {} {}", Quoted(name),
                                       DTypeName(type), ShapeName(tensor.info.shape)));
    }
    LowRankUpdate& update = updates[name.substr(kPrefix.size(), end - 1 - kPrefix.size())];
    (name.ends_with("A.weight") ? update.a : update.b) = tensor;
  }
  for (const auto& [module, update] : updates) {
    if (update.a.info.shape.empty() || update.b.info.shape.empty())
      return Fail(ErrorCode::kFormat, path.string(), fmt::format("module {} has A or B but not both", Quoted(module)),
                  "fetch the adapter again");
    if (update.a.info.shape[0] != update.b.info.shape[1]) {
      return Fail(ErrorCode::kFormat, path.string(),
                  fmt::format("module {}: A is {} and B is {}; expected a common rank", Quoted(module),
                              ShapeName(update.a.info.shape), ShapeName(update.b.info.shape)));
    }
  }
  return updates;
}

std::string WithoutFirst(const std::string& name) {
  const size_t dot = name.find('.');
  return dot == std::string::npos ? name : name.substr(dot + 1);
}

// A checkpoint may hold its tensors with or without the prefix of the bare model.
bool AreOne(const std::string& tensor, const std::string& wanted) {
  return tensor == wanted || WithoutFirst(tensor) == wanted || tensor == WithoutFirst(wanted);
}

}  // namespace

Result<LoraAdapter> LoraAdapter::Open(const Path& folder) {
  const Path config_path = folder / "adapter_config.json";
  const Path weights = folder / "adapter_model.safetensors";
  if (!FileExists(config_path)) {
    return Fail(ErrorCode::kNotFound, folder.string(), "holds no adapter_config.json",
                "give the folder of a LoRA adapter that PEFT wrote");
  }
  if (!FileExists(weights)) {
    return Fail(ErrorCode::kNotFound, folder.string(), "holds no adapter_model.safetensors",
                "save the adapter again with PEFT: save_pretrained(FOLDER, safe_serialization=True)");
  }
  ISOVEIL_ASSIGN_OR_RETURN(std::string text, ReadTextFile(config_path));
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json config, ParseStrictJson(text, config_path.string()));
  if (!config.is_object()) return Fail(ErrorCode::kFormat, config_path.string(), "expected a JSON object");
  ISOVEIL_RETURN_IF_ERROR(CheckFields(config, config_path));
  ISOVEIL_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(weights));
  LoraAdapter adapter(std::move(file));
  adapter.path_ = folder;
  adapter.weights_ = weights;
  adapter.config_ = std::move(text);
  ISOVEIL_ASSIGN_OR_RETURN(adapter.fan_in_fan_out_, Flag(config, "fan_in_fan_out", config_path));
  ISOVEIL_ASSIGN_OR_RETURN(adapter.updates_, Pair(adapter.file_, weights));
  for (auto& [module, update] : adapter.updates_) {
    ISOVEIL_ASSIGN_OR_RETURN(update.scale, ScaleOf(config, module, update.a.info.shape[0], config_path));
  }
  return adapter;
}

Result<std::vector<TensorView>> LoraAdapter::MergedWith(std::span<const TensorView> model) const {
  std::vector<TensorView> merged(model.begin(), model.end());
  for (const auto& [module, found] : updates_) {
    const std::string wanted = module + ".weight";
    const auto base =
        std::find_if(merged.begin(), merged.end(), [&](const TensorView& t) { return AreOne(t.info.name, wanted); });
    if (base == merged.end()) {
      return Fail(ErrorCode::kMismatch, weights_.string(),
                  fmt::format("adapts {}, which the model does not have", Quoted(module)),
                  "name the model that the adapter was trained on");
    }
    LowRankUpdate update = found;
    const uint64_t inputs = update.a.info.shape[1];
    const uint64_t outputs = update.b.info.shape[0];
    // The matrix says how it is stored, unless it is square.
    update.transposed = inputs == outputs ? fan_in_fan_out_ : base->info.shape == Shape{inputs, outputs};
    if (base->info.shape != (update.transposed ? Shape{inputs, outputs} : Shape{outputs, inputs})) {
      return Fail(ErrorCode::kMismatch, weights_.string(),
                  fmt::format("adapts {} from {} to {} values, but it has the shape {}", Quoted(module), inputs,
                              outputs, ShapeName(base->info.shape)),
                  "name the model that the adapter was trained on");
    }
    *base = Merged(*base, std::move(update));
  }
  return merged;
}

}  // namespace isoveil
