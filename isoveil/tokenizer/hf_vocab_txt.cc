#include "isoveil/tokenizer/hf_vocab_txt.h"

#include <algorithm>
#include <array>

#include "isoveil/tokenizer/hf_conversion.h"

namespace isoveil {

using nlohmann::ordered_json;

namespace {

// As Python reads lines: a carriage return ends one too. The last of two equal tokens counts.
ordered_json ReadLines(std::string_view text) {
  ordered_json vocab = ordered_json::object();
  std::unordered_map<std::string, uint64_t> ids;
  std::vector<std::string> tokens;
  while (!text.empty()) {
    const size_t end = text.find_first_of("\r\n");
    tokens.emplace_back(text.substr(0, end));
    ids[tokens.back()] = tokens.size() - 1;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  auto& entries = vocab.get_ref<ordered_json::object_t&>();
  for (uint64_t id = 0; id < tokens.size(); ++id) {
    // Appended as it is: a search for each key would take the square of their number.
    if (ids[tokens[id]] == id) entries.emplace_back(tokens[id], id);
  }
  return vocab;
}

// What a class takes where the files name nothing, and how it frames texts.
struct Kind {
  std::string_view unknown, end, padding, begin, mask;
  // As RoBERTa: two ends between texts, and a mask that takes the spaces in front of it.
  bool like_roberta = false;
};
constexpr Kind kBert{"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};
constexpr Kind kMpnet{"[UNK]", "</s>", "<pad>", "<s>", "<mask>", true};

Result<Kind> KindOf(const ordered_json& config, const std::string& where) {
  constexpr std::array kClasses = {"", "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MPNetTokenizer"};
  std::string name = TextOf(config, "tokenizer_class");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  const bool known = std::find(kClasses.begin(), kClasses.end(), name) != kClasses.end();
  if (known && config.value("do_basic_tokenize", true)) return name == "MPNetTokenizer" ? kMpnet : kBert;
  return Fail(ErrorCode::kUnsupported, where,
              known ? "do_basic_tokenize is false" : fmt::format("is of the class {}", Quoted(name)),
              "save the tokenizer with transformers, which then writes tokenizer.json");
}

std::string NameOf(const char* name, std::string_view fallback, const ordered_json& config,
                   const ordered_json& special) {
  for (const ordered_json* file : {&config, &special}) {
    if (!file->contains(name)) continue;
    const ordered_json& token = (*file)[name];
    std::string text = token.is_string() ? token.get<std::string>() : TextOf(token, "content");
    if (!text.empty()) return text;
  }
  return std::string(fallback);
}

// The flags of a special token: those of the file that has them, which BERT's classes do not ask.
ordered_json FlagsOf(const char* name, const Kind& kind, const ordered_json& config, const ordered_json& special) {
  if (!kind.like_roberta) return {};
  for (const ordered_json* file : {&special, &config}) {
    const auto it = file->find(name);
    if (it == file->end() || !it->is_object()) continue;
    ordered_json flags = *it;
    flags["special"] = true;
    return flags;
  }
  return {{"lstrip", std::string_view(name) == "mask_token"}};
}

ordered_json Added(uint64_t id, const std::string& text, const ordered_json& flags, bool special) {
  ordered_json added = {{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
                        {"rstrip", false}, {"normalized", false}, {"special", special}};
  for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
    if (flags.is_object() && flags.contains(flag)) added[flag] = flags[flag];
  }
  return added;
}

ordered_json Template(const std::vector<std::pair<std::string, int>>& pieces) {
  ordered_json list = ordered_json::array();
  for (const auto& [name, type] : pieces) {
    const char* kind = name == "A" || name == "B" ? "Sequence" : "SpecialToken";
    list.push_back({{kind, {{"id", name}, {"type_id", type}}}});
  }
  return list;
}

}  // namespace

Result<ordered_json> TokenizerFromVocabTxt(std::string_view text, const ordered_json& config,
                                           const ordered_json& special, const std::string& where) {
  ISOVEIL_ASSIGN_OR_RETURN(const Kind kind, KindOf(config, where));
  ordered_json vocab = ReadLines(text);
  std::unordered_map<std::string, uint64_t> ids;
  for (const auto& [token, id] : vocab.items()) ids[token] = id.get<uint64_t>();
  ordered_json added = ordered_json::array();
  std::vector<std::string> names;
  for (const auto& [name, fallback] :
       {std::pair{"unk_token", kind.unknown}, std::pair{"sep_token", kind.end}, std::pair{"pad_token", kind.padding},
        std::pair{"cls_token", kind.begin}, std::pair{"mask_token", kind.mask}}) {
    names.push_back(NameOf(name, fallback, config, special));
    const auto it = ids.find(names.back());
    if (it == ids.end())
      return Fail(ErrorCode::kFormat, where, fmt::format("has no line {}, the {}", Quoted(names.back()), name));
    added.push_back(Added(it->second, names.back(), FlagsOf(name, kind, config, special), true));
  }
  if (kind.like_roberta && (NameOf("bos_token", kind.begin, config, special) != names[3] ||
                            NameOf("eos_token", kind.end, config, special) != names[1])) {
    return Fail(ErrorCode::kUnsupported, where, "bos_token and eos_token are not cls_token and sep_token",
                "save the tokenizer with transformers, which then writes tokenizer.json");
  }
  const ordered_json more = config.value("added_tokens_decoder", ordered_json::object());
  for (const auto& [id, token] : more.items()) {
    const std::string content = TextOf(token, "content");
    if (std::find(names.begin(), names.end(), content) != names.end()) continue;
    const auto it = ids.find(content);
    const bool digits = !id.empty() && id.size() < 10 && id.find_first_not_of("0123456789") == std::string::npos;
    if (it == ids.end() && !digits)
      return Fail(ErrorCode::kFormat, where, "tokenizer_config.json: added_tokens_decoder: expected ids");
    added.push_back(Added(it == ids.end() ? std::stoull(id) : it->second, content, token, false));
  }
  const bool lowercase = config.value("do_lower_case", true);
  ordered_json tokenizer = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  tokenizer["added_tokens"] = std::move(added);
  tokenizer["normalizer"] = {{"type", "BertNormalizer"},
                             {"clean_text", true},
                             {"handle_chinese_chars", config.value("tokenize_chinese_chars", true)},
                             {"strip_accents", config.value("strip_accents", ordered_json())},
                             {"lowercase", lowercase}};
  tokenizer["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  const std::string &cls = names[3], &sep = names[1];
  ordered_json framing = ordered_json::object();
  for (const std::string& name : {cls, sep})
    framing[name] = {{"id", name}, {"ids", {ids[name]}}, {"tokens", ordered_json::array({name})}};
  std::vector<std::pair<std::string, int>> pair = {{cls, 0}, {"A", 0}, {sep, 0}, {"B", 1}, {sep, 1}};
  if (kind.like_roberta) pair.insert(pair.begin() + 3, {sep, 0});
  tokenizer["post_processor"] = {{"type", "TemplateProcessing"},
                                 {"single", Template({{cls, 0}, {"A", 0}, {sep, 0}})},
                                 {"pair", Template(pair)},
                                 {"special_tokens", std::move(framing)}};
  tokenizer["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  tokenizer["model"] = {{"type", "WordPiece"},
                        {"unk_token", names[0]},
                        {"continuing_subword_prefix", "##"},
                        {"max_input_chars_per_word", uint64_t{100}}};
  tokenizer["model"]["vocab"] = std::move(vocab);
  return tokenizer;
}

}  // namespace isoveil
