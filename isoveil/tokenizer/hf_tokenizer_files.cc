#include "isoveil/tokenizer/hf_tokenizer_files.h"

#include "isoveil/base/strict_json.h"
#include "isoveil/tokenizer/hf_vocab_txt.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr const char* kVocabTxt = "vocab.txt";
constexpr const char* kJinja = "chat_template.jinja";
constexpr const char* kOptional[] = {"tokenizer_config.json", "special_tokens_map.json", "config.json",
                                     "generation_config.json", "chat_template.json"};

Result<ordered_json> ParseObject(const HfTokenizerFiles::Texts& texts, const char* name, const Path& folder) {
  const auto text = texts.find(name);
  if (text == texts.end()) return ordered_json::object();
  const std::string where = (folder / name).string();
  ISOVEIL_ASSIGN_OR_RETURN(ordered_json json, ParseStrictJson(text->second, where));
  if (!json.is_object()) return Fail(ErrorCode::kFormat, where, "expected a JSON object");
  return json;
}

// The default template where a file names several.
std::string TemplateOf(const ordered_json& field) {
  if (field.is_string()) return field.get<std::string>();
  if (field.is_array()) {
    for (const ordered_json& entry : field) {
      if (entry.is_object() && entry.contains("name") && entry["name"] == "default" && entry.contains("template")) {
        return TemplateOf(entry["template"]);
      }
    }
  }
  return "";
}

// A flag of another type than expected is an exception; its text is not quoted.
Result<ordered_json> FromLines(const std::string& lines, const HfTokenizerFiles& s) {
  try {
    return TokenizerFromVocabTxt(lines, s.config, s.special, s.where);
  } catch (const ordered_json::exception& error) {
    return Fail(ErrorCode::kFormat, s.where,
                fmt::format("a field of tokenizer_config.json has an unexpected type (JSON error {})", error.id));
  }
}

}  // namespace

Result<HfTokenizerFiles> HfTokenizerFiles::Read(const Path& folder) {
  Texts texts;
  const char* main =
      !FileExists(folder / "tokenizer.json") && FileExists(folder / kVocabTxt) ? kVocabTxt : "tokenizer.json";
  Result<std::string> text = ReadTextFile(folder / main, 256 << 20);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound, (folder / main).string(), "is missing",
                "save the tokenizer with transformers: AutoTokenizer.from_pretrained(...).save_pretrained(...)");
  }
  if (!text) return tl::unexpected(text.error());
  texts[main] = *std::move(text);
  for (const char* name : kOptional) {
    if (!FileExists(folder / name)) continue;
    ISOVEIL_ASSIGN_OR_RETURN(texts[name], ReadTextFile(folder / name));
  }
  if (auto jinja = ReadTextFile(folder / kJinja, 1 << 20)) texts[kJinja] = *std::move(jinja);
  return Parse(texts, folder);
}

Result<HfTokenizerFiles> HfTokenizerFiles::Parse(const Texts& texts, const Path& folder) {
  HfTokenizerFiles s;
  const auto lines = texts.find(kVocabTxt);
  s.where = (folder / (lines == texts.end() ? "tokenizer.json" : kVocabTxt)).string();
  ISOVEIL_ASSIGN_OR_RETURN(s.config, ParseObject(texts, "tokenizer_config.json", folder));
  ISOVEIL_ASSIGN_OR_RETURN(s.special, ParseObject(texts, "special_tokens_map.json", folder));
  if (lines == texts.end()) {
    ISOVEIL_ASSIGN_OR_RETURN(s.tokenizer, ParseObject(texts, "tokenizer.json", folder));
  } else {
    ISOVEIL_ASSIGN_OR_RETURN(s.tokenizer, FromLines(lines->second, s));
  }
  ISOVEIL_ASSIGN_OR_RETURN(s.model, ParseObject(texts, "config.json", folder));
  ISOVEIL_ASSIGN_OR_RETURN(s.generation, ParseObject(texts, "generation_config.json", folder));
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json template_file, ParseObject(texts, "chat_template.json", folder));
  if (s.config.contains("chat_template")) s.chat_template = TemplateOf(s.config["chat_template"]);
  if (template_file.contains("chat_template")) s.chat_template = TemplateOf(template_file["chat_template"]);
  if (const auto jinja = texts.find(kJinja); jinja != texts.end()) s.chat_template = jinja->second;
  return s;
}

}  // namespace isoveil
