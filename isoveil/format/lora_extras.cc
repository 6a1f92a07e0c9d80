#include "isoveil/format/lora_extras.h"

#include <fmt/format.h>

#include <optional>

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// Nothing for what is not there or cannot be read; whoever uses it says so.
std::optional<std::string> Text(const Path& file) {
  const auto text = ReadTextFile(file);
  return text ? std::optional(*text) : std::nullopt;
}

std::optional<ordered_json> Json(const Path& file) {
  const auto text = Text(file);
  if (!text) return std::nullopt;
  const auto json = ParseStrictJson(*text, file.string());
  return json && json->is_object() ? std::optional(*json) : std::nullopt;
}

// tokenizer.json without how texts of a batch were cut and filled.
std::optional<ordered_json> Tokenizer(const Path& folder) {
  auto json = Json(folder / "tokenizer.json");
  for (const char* name : {"truncation", "padding"}) {
    if (json) json->erase(name);
  }
  return json;
}

std::optional<ordered_json> ChatTemplate(const Path& folder) {
  if (auto text = Text(folder / "chat_template.jinja")) return ordered_json(std::move(*text));
  const auto config = Json(folder / "tokenizer_config.json");
  if (!config || !config->contains("chat_template")) return std::nullopt;
  return config->at("chat_template");
}

}  // namespace

std::vector<std::string> WarnOfLoraExtras(const Path& adapter, const Path& model) {
  std::vector<std::string> warnings;
  const auto compare = [&](const char* what, const auto& own, const auto& models) {
    if (!own || own == models) return;
    warnings.push_back(fmt::format(
        "the adapter's folder holds another {} than the model's; the model's own is used. If the adapter was trained "
        "with it, merge the adapter with PEFT, save its tokenizer beside the merged model, and encrypt that",
        what));
  };
  compare("tokenizer", Tokenizer(adapter), Tokenizer(model));
  compare("tokenizer.model", Text(adapter / "tokenizer.model"), Text(model / "tokenizer.model"));
  compare("chat template", ChatTemplate(adapter), ChatTemplate(model));
  return warnings;
}

}  // namespace isoveil
