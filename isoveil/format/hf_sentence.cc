#include "isoveil/format/hf_sentence.h"

#include <nlohmann/json.hpp>

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr const char* kModules = "modules.json";
constexpr const char* kPooling = "1_Pooling/config.json";
constexpr uint64_t kMaxText = 1 << 20;
constexpr std::string_view kModePrefix = "pooling_mode_";
constexpr std::pair<std::string_view, Pooling> kModes[] = {{"mean", Pooling::kMean},
                                                           {"mean_tokens", Pooling::kMean},
                                                           {"cls", Pooling::kFirst},
                                                           {"cls_token", Pooling::kFirst},
                                                           {"lasttoken", Pooling::kLast}};

tl::unexpected<Error> Malformed(const Path& path, std::string expected) {
  return Fail(ErrorCode::kFormat, path.string(), "expected " + std::move(expected),
              "the file is damaged; fetch it again");
}

Result<ordered_json> ReadJson(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxText));
  return ParseStrictJson(text, path.string());
}

void AddMode(std::string_view mode, SentenceModules& sentence) {
  for (const auto& [name, pooling] : kModes) {
    if (mode != name) continue;
    if (!sentence.pooling) {
      sentence.pooling = pooling;
      return;
    }
  }
  // One that has no rule, or a second one, which is set beside the first.
  sentence.others.push_back("pooling " + std::string(mode));
}

// {"pooling_mode_mean_tokens": true, ...}, or {"pooling_mode": "mean"}.
Status ReadPooling(const Path& path, SentenceModules& sentence) {
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json config, ReadJson(path));
  if (!config.is_object()) return Malformed(path, "an object");
  for (const auto& [name, value] : config.items()) {
    if (name == "pooling_mode") {
      if (!value.is_string()) return Malformed(path, "a text under pooling_mode");
      AddMode(value.get<std::string>(), sentence);
    } else if (name.starts_with(kModePrefix)) {
      if (!value.is_boolean()) return Malformed(path, "true or false under " + name);
      if (value.get<bool>()) AddMode(std::string_view(name).substr(kModePrefix.size()), sentence);
    }
  }
  return Ok();
}

// [{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}, ...]
Status ReadModules(const Path& path, SentenceModules& sentence) {
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json modules, ReadJson(path));
  const auto malformed = [&] { return Malformed(path, "a list of objects with a type"); };
  if (!modules.is_array()) return malformed();
  for (const ordered_json& module : modules) {
    if (!module.is_object() || !module.contains("type") || !module["type"].is_string()) return malformed();
    const auto type = module["type"].get<std::string>();
    const std::string name = type.substr(type.rfind('.') + 1);
    if (name == "Normalize") {
      sentence.scales = true;
    } else if (name != "Transformer" && name != "Pooling") {
      sentence.others.push_back(name);
    }
  }
  return Ok();
}

}  // namespace

std::string_view PoolingName(Pooling pooling) {
  switch (pooling) {
    case Pooling::kMean: return "mean";
    case Pooling::kFirst: return "cls";
    case Pooling::kLast: return "lasttoken";
  }
  return "";
}

std::vector<std::string> SentenceModules::Warnings() const {
  std::vector<std::string> warnings;
  for (const std::string& other : others) {
    warnings.push_back(fmt::format("{}: {} is no part of the encrypted model: apply it to the decrypted vectors",
                                   other.starts_with("pooling") ? kPooling : kModules, other));
  }
  return warnings;
}

std::vector<std::pair<std::string, std::string>> SentenceModules::Write(uint64_t width) const {
  if (!pooling) return {};
  ordered_json modules = ordered_json::array();
  const auto add = [&](std::string_view type, const std::string& path) {
    const size_t n = modules.size();
    modules.push_back({{"idx", n},
                       {"name", std::to_string(n)},
                       {"path", path},
                       {"type", fmt::format("sentence_transformers.models.{}", type)}});
  };
  add("Transformer", "");
  add("Pooling", "1_Pooling");
  if (scales) add("Normalize", "2_Normalize");
  const ordered_json modes = {{"word_embedding_dimension", width},
                              {"pooling_mode_cls_token", pooling == Pooling::kFirst},
                              {"pooling_mode_mean_tokens", pooling == Pooling::kMean},
                              {"pooling_mode_lasttoken", pooling == Pooling::kLast}};
  return {{kModules, modules.dump(2) + "\n"}, {kPooling, modes.dump(2) + "\n"}};
}

Result<SentenceModules> SentenceModules::Read(const Path& folder) {
  SentenceModules sentence;
  if (FileExists(folder / kModules)) ISOVEIL_RETURN_IF_ERROR(ReadModules(folder / kModules, sentence));
  if (FileExists(folder / kPooling)) ISOVEIL_RETURN_IF_ERROR(ReadPooling(folder / kPooling, sentence));
  return sentence;
}

std::vector<Path> SentenceModules::Files(const Path& folder) {
  std::vector<Path> files;
  for (const char* name : {kModules, kPooling}) {
    if (FileExists(folder / name)) files.push_back(folder / name);
  }
  return files;
}

}  // namespace isoveil
