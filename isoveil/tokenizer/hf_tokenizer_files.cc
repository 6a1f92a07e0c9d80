#include "isoveil/tokenizer/hf_tokenizer_files.h"

#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

Result<ordered_json> ReadOptional(const Path& path) {
  if (!FileExists(path)) return ordered_json::object();
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  ISOVEIL_ASSIGN_OR_RETURN(ordered_json json, ParseStrictJson(text, path.string()));
  if (!json.is_object()) return Fail(ErrorCode::kFormat, path.string(), "expected a JSON object");
  return json;
}

// The default template where a file names several.
std::string TemplateOf(const ordered_json& field) {
  if (field.is_string()) return field.get<std::string>();
  if (field.is_array()) {
    for (const ordered_json& entry : field) {
      if (entry.is_object() && entry.value("name", "") == "default" && entry.contains("template")) {
        return TemplateOf(entry["template"]);
      }
    }
  }
  return "";
}

}  // namespace

Result<HfTokenizerFiles> HfTokenizerFiles::Read(const Path& folder) {
  HfTokenizerFiles s;
  s.where = (folder / "tokenizer.json").string();
  const Result<std::string> text = ReadTextFile(s.where, 256 << 20);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return Fail(
        ErrorCode::kNotFound, s.where, "is missing",
        "save the tokenizer with transformers: AutoTokenizer.from_pretrained(...).save_pretrained(...)");
  }
  if (!text) return tl::unexpected(text.error());
  ISOVEIL_ASSIGN_OR_RETURN(s.tokenizer, ParseStrictJson(*text, s.where));
  if (!s.tokenizer.is_object()) return Fail(ErrorCode::kFormat, s.where, "expected a JSON object");
  ISOVEIL_ASSIGN_OR_RETURN(s.config, ReadOptional(folder / "tokenizer_config.json"));
  ISOVEIL_ASSIGN_OR_RETURN(s.special, ReadOptional(folder / "special_tokens_map.json"));
  ISOVEIL_ASSIGN_OR_RETURN(s.model, ReadOptional(folder / "config.json"));
  ISOVEIL_ASSIGN_OR_RETURN(s.generation, ReadOptional(folder / "generation_config.json"));
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json template_file, ReadOptional(folder / "chat_template.json"));
  if (s.config.contains("chat_template")) s.chat_template = TemplateOf(s.config["chat_template"]);
  if (template_file.contains("chat_template")) s.chat_template = TemplateOf(template_file["chat_template"]);
  if (const auto jinja = ReadTextFile(folder / "chat_template.jinja", 1 << 20)) s.chat_template = *jinja;
  return s;
}

}  // namespace isoveil
