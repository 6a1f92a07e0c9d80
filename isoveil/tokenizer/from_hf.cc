#include "isoveil/tokenizer/from_hf.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "isoveil/base/token_id.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/pre_tokenizers.h"
#include "isoveil/tokenizer/vocabulary_check.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

enum TokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

constexpr const char* kSpaceMark = "\xe2\x96\x81";  // U+2581

struct Token {
  std::string text;
  int32_t type = kUnused;
  float score = 0;
};

tl::unexpected<Error> Unsupported(const HfTokenizerFiles& s, std::string_view field, std::string problem) {
  return Fail(ErrorCode::kUnsupported, fmt::format("{}: {}", s.where, field), std::move(problem),
              "a vocabulary that is nearly right would give a model that is nearly right");
}

tl::unexpected<Error> Malformed(const HfTokenizerFiles& s, std::string_view field, std::string problem) {
  return Fail(ErrorCode::kFormat, fmt::format("{}: {}", s.where, field), std::move(problem));
}

bool Flag(const ordered_json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

std::string TypeOf(const ordered_json& object) {
  if (!object.is_object() || !object.contains("type") || !object["type"].is_string()) return "";
  return object["type"].get<std::string>();
}

// The steps of a component that may be a Sequence of them.
std::vector<ordered_json> StepsOf(const ordered_json& component, const char* list) {
  if (component.is_null()) return {};
  if (TypeOf(component) == "Sequence" && component.contains(list) && component[list].is_array()) {
    return {component[list].begin(), component[list].end()};
  }
  return {component};
}

class Converter {
 public:
  Converter(const HfTokenizerFiles& source, uint64_t n_vocab) : s_(source), n_vocab_(n_vocab) {}

  Result<GgufMetadata> Run() {
    ISOVEIL_RETURN_IF_ERROR(ReadModel());
    ISOVEIL_RETURN_IF_ERROR(ReadVocab());
    ISOVEIL_RETURN_IF_ERROR(ReadAddedTokens());
    if (byte_fallback_) {
      ISOVEIL_RETURN_IF_ERROR(ConvertByteFallback());
    } else {
      ISOVEIL_RETURN_IF_ERROR(ConvertByteLevel());
    }
    ISOVEIL_RETURN_IF_ERROR(SetSpecialIds());
    return Finish();
  }

 private:
  Status ReadModel() {
    if (!s_.tokenizer.is_object() || !s_.tokenizer.contains("model") || !s_.tokenizer["model"].is_object()) {
      return Malformed(s_, "model", "expected an object");
    }
    model_ = &s_.tokenizer["model"];
    std::string type = TypeOf(*model_);
    if (type.empty() && model_->contains("merges")) type = "BPE";
    if (type != "BPE") return Unsupported(s_, "model.type", fmt::format("{} has no rule; BPE has", Quoted(type)));
    for (const char* field : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (model_->contains(field) && (*model_)[field].is_string() && !(*model_)[field].get<std::string>().empty()) {
        return Unsupported(s_, std::string("model.") + field, "llama.cpp has no such affix");
      }
    }
    if (model_->contains("dropout") && (*model_)["dropout"].is_number() && (*model_)["dropout"] != 0) {
      return Unsupported(s_, "model.dropout", "is random");
    }
    byte_fallback_ = Flag(*model_, "byte_fallback");
    return Ok();
  }

  Status ReadVocab() {
    if (n_vocab_ == 0 || n_vocab_ > kMaxVocabulary) return Malformed(s_, "vocabulary", "its size is out of range");
    if (!model_->contains("vocab") || !(*model_)["vocab"].is_object())
      return Malformed(s_, "model.vocab", "expected an object");
    tokens_.resize(n_vocab_);
    for (const auto& [text, id] : (*model_)["vocab"].items()) {
      ISOVEIL_RETURN_IF_ERROR(SetToken(id, text, kNormal, "model.vocab"));
    }
    for (uint64_t id = 0; id < n_vocab_; ++id) {
      if (tokens_[id].type == kUnused) tokens_[id].text = fmt::format("[PAD{}]", id);
    }
    return Ok();
  }

  Status SetToken(const ordered_json& id, const std::string& text, int32_t type, const char* field) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= n_vocab_) {
      return Malformed(
          s_, field,
          fmt::format("token {}: expected an id below {}, the rows of the embedding", Quoted(text), n_vocab_));
    }
    Token& token = tokens_[id.get<uint64_t>()];
    if (token.type != kUnused && token.text != text) {
      return Malformed(s_, field, fmt::format("id {} has two texts", id.get<uint64_t>()));
    }
    token.text = text;
    token.type = type;
    ids_[text] = id.get<uint64_t>();
    return Ok();
  }

  Status ReadAddedTokens() {
    if (!s_.tokenizer.contains("added_tokens") || !s_.tokenizer["added_tokens"].is_array()) return Ok();
    for (const ordered_json& added : s_.tokenizer["added_tokens"]) {
      if (!added.is_object() || !added.contains("content") || !added["content"].is_string() || !added.contains("id")) {
        return Malformed(s_, "added_tokens", "expected objects with id and content");
      }
      const auto text = added["content"].get<std::string>();
      if (Flag(added, "single_word"))
        return Unsupported(s_, "added_tokens", fmt::format("token {} has single_word", Quoted(text)));
      if (added["id"].is_number_unsigned() && added["id"].get<uint64_t>() < n_vocab_ &&
          tokens_[added["id"].get<uint64_t>()].type == kUnused) {
        tokens_[added["id"].get<uint64_t>()].text = text;
      }
      ISOVEIL_RETURN_IF_ERROR(
          SetToken(added["id"], text, Flag(added, "special") ? kControl : kUserDefined, "added_tokens"));
      if (Flag(added, "lstrip")) strip_left_.push_back(added["id"].get<uint32_t>());
      if (Flag(added, "rstrip")) strip_right_.push_back(added["id"].get<uint32_t>());
    }
    return Ok();
  }

  // Both spellings: "a b" and ["a", "b"].
  Result<std::vector<std::pair<std::string, std::string>>> ReadMerges() const {
    std::vector<std::pair<std::string, std::string>> merges;
    if (!model_->contains("merges") || !(*model_)["merges"].is_array())
      return Malformed(s_, "model.merges", "expected a list");
    for (const ordered_json& merge : (*model_)["merges"]) {
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
        continue;
      }
      const std::string text = merge.is_string() ? merge.get<std::string>() : "";
      const size_t space = text.find(' ', 1);
      if (space == std::string::npos)
        return Malformed(s_, "model.merges", fmt::format("entry {} is no pair", merges.size()));
      merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    }
    return merges;
  }

  Status ConvertByteLevel() {
    for (const ordered_json& step : StepsOf(s_.tokenizer.value("normalizer", ordered_json()), "normalizers")) {
      if (TypeOf(step) != "NFC")
        return Unsupported(s_, "normalizer", fmt::format("{} has no rule", Quoted(TypeOf(step))));
      metadata_.Set(kNormalizerKey, std::string("nfc"));
    }
    ISOVEIL_RETURN_IF_ERROR(CheckByteCharacters());
    const bool ignore_merges = Flag(*model_, "ignore_merges");
    ISOVEIL_ASSIGN_OR_RETURN(
        const PreTokenizer pre,
        FindPreTokenizer(s_.tokenizer.value("pre_tokenizer", ordered_json()), ignore_merges, s_.where));
    ISOVEIL_ASSIGN_OR_RETURN(const auto merges, ReadMerges());
    std::vector<std::string> lines;
    for (const auto& [left, right] : merges) lines.push_back(left + " " + right);
    metadata_.Set("tokenizer.ggml.model", std::string("gpt2"));
    metadata_.Set("tokenizer.ggml.pre", std::string(pre.name));
    metadata_.Set("tokenizer.ggml.merges", std::move(lines));
    return Ok();
  }

  // Without a token for every byte, Hugging Face drops what llama.cpp may not.
  Status CheckByteCharacters() const {
    for (const char* bytes : {"!", "~", "\u0120", "\u00ff"}) {
      if (!ids_.contains(bytes))
        return Unsupported(s_, "model.vocab", fmt::format("has no token for the byte {}", Quoted(bytes)));
    }
    return Ok();
  }

  Status ConvertByteFallback() {
    if (Flag(*model_, "ignore_merges")) return Unsupported(s_, "model.ignore_merges", "has no rule here");
    ISOVEIL_ASSIGN_OR_RETURN(const bool prefix, SpacePrefix());
    ISOVEIL_RETURN_IF_ERROR(MarkBytesAndUnknown());
    ISOVEIL_ASSIGN_OR_RETURN(const auto merges, ReadMerges());
    ISOVEIL_RETURN_IF_ERROR(SetMerges(merges));
    metadata_.Set("tokenizer.ggml.model", std::string("llama"));
    metadata_.Set("tokenizer.ggml.pre", std::string("default"));
    metadata_.Set("tokenizer.ggml.add_space_prefix", prefix);
    std::vector<float> scores;
    for (const Token& token : tokens_) scores.push_back(token.score);
    metadata_.Set("tokenizer.ggml.scores", std::move(scores));
    return Ok();
  }

  // Spaces become U+2581, by normalizers or by Metaspace. True where llama.cpp puts one before the text;
  // where the text may have its own, kSpacePrefixKey is set instead.
  Result<bool> SpacePrefix() {
    bool prefix = false;
    bool replaced = false;
    for (const ordered_json& step : StepsOf(s_.tokenizer.value("normalizer", ordered_json()), "normalizers")) {
      const std::string type = TypeOf(step);
      if (type == "Prepend" && !replaced && step.value("prepend", "") == kSpaceMark) {
        prefix = true;
      } else if (type == "Replace" && step.contains("pattern") && step["pattern"].value("String", "") == " " &&
                 step.value("content", "") == kSpaceMark) {
        replaced = true;
      } else {
        return Unsupported(s_, "normalizer", fmt::format("{} has no rule", Quoted(type)));
      }
    }
    for (const ordered_json& step : StepsOf(s_.tokenizer.value("pre_tokenizer", ordered_json()), "pretokenizers")) {
      if (replaced && SplitsAtSpaces(step)) continue;
      const std::string scheme = step.value("prepend_scheme", "always");
      if (TypeOf(step) != "Metaspace" || step.value("replacement", "") != kSpaceMark || step.value("split", true) ||
          prefix) {
        return Unsupported(s_, "pre_tokenizer", fmt::format("{} has no rule here", Quoted(step.dump())));
      }
      replaced = true;
      if (scheme != "never") metadata_.Set(kSpacePrefixKey, std::string(scheme == "first" ? "first" : "each"));
    }
    if (!replaced) return Unsupported(s_, "normalizer", "spaces are not replaced by U+2581");
    return prefix;
  }

  // After the normalizer there are no spaces left to split at (Gemma).
  static bool SplitsAtSpaces(const ordered_json& step) {
    return TypeOf(step) == "Split" && step.contains("pattern") && step["pattern"].value("String", "") == " ";
  }

  // The merges as they are (ranked_merges.h), and scores for llama.cpp, which nearly say the same: a token
  // has minus the rank of its first merge.
  Status SetMerges(const std::vector<std::pair<std::string, std::string>>& merges) {
    std::vector<uint32_t> pairs;
    // Tokens that no merge makes are single characters, bytes or added ones: they never compete.
    for (Token& token : tokens_) token.score = kNeverMerged;
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      const auto& [left, right] = merges[rank];
      for (const std::string& text : {left, right, left + right}) {
        if (!ids_.contains(text))
          return Malformed(s_, "model.merges",
                           fmt::format("entry {} names a token that is not in the vocabulary", rank));
      }
      pairs.push_back(static_cast<uint32_t>(ids_.at(left)));
      pairs.push_back(static_cast<uint32_t>(ids_.at(right)));
      Token& made = tokens_[ids_.at(left + right)];
      if (made.score == kNeverMerged) made.score = -static_cast<float>(rank);
    }
    metadata_.Set(kMergesKey, std::move(pairs));
    return Ok();
  }

  Status MarkBytesAndUnknown() {
    size_t n_bytes = 0;
    for (Token& token : tokens_) {
      if (token.type != kNormal || !IsByteToken(token.text)) continue;
      token.type = kByte;
      ++n_bytes;
    }
    if (n_bytes != 256) {
      return Unsupported(s_, "model.vocab",
                         fmt::format("byte_fallback needs 256 byte tokens, <0x00> to <0xFF>, found {}", n_bytes));
    }
    const std::string unknown = model_->contains("unk_token") && (*model_)["unk_token"].is_string()
                                    ? (*model_)["unk_token"].get<std::string>()
                                    : "";
    if (const auto it = ids_.find(unknown); it != ids_.end()) tokens_[it->second].type = kUnknown;
    return Ok();
  }

  // A token by the name that tokenizer_config.json or special_tokens_map.json gives it.
  std::optional<uint64_t> NamedId(const char* name) const {
    for (const ordered_json* file : {&s_.config, &s_.special}) {
      const auto it = file->find(name);
      if (it == file->end()) continue;
      const std::string text = it->is_string() ? it->get<std::string>()
                               : it->is_object() && it->contains("content") && (*it)["content"].is_string()
                                   ? (*it)["content"].get<std::string>()
                                   : "";
      if (const auto found = ids_.find(text); found != ids_.end()) return found->second;
    }
    return std::nullopt;
  }

  // The ids of a field of generation_config.json or config.json.
  std::vector<uint64_t> ConfiguredIds(const char* field) const {
    std::vector<uint64_t> ids;
    for (const ordered_json* file : {&s_.generation, &s_.model}) {
      const auto it = file->find(field);
      if (it == file->end()) continue;
      for (const ordered_json& id : it->is_array() ? *it : ordered_json::array({*it})) {
        if (id.is_number_unsigned() && id.get<uint64_t>() < n_vocab_ &&
            std::find(ids.begin(), ids.end(), id.get<uint64_t>()) == ids.end()) {
          ids.push_back(id.get<uint64_t>());
        }
      }
    }
    return ids;
  }

  void SetId(const char* key, uint64_t id) { metadata_.Set(key, static_cast<uint32_t>(id)); }

  Status SetSpecialIds() {
    const std::pair<const char*, std::pair<const char*, const char*>> kinds[] = {
        {"tokenizer.ggml.bos_token_id", {"bos_token", "bos_token_id"}},
        {"tokenizer.ggml.padding_token_id", {"pad_token", "pad_token_id"}},
        {"tokenizer.ggml.unknown_token_id", {"unk_token", "unk_token_id"}},
    };
    for (const auto& [key, names] : kinds) {
      std::optional<uint64_t> id = NamedId(names.first);
      const std::vector<uint64_t> configured = ConfiguredIds(names.second);
      if (!id && !configured.empty()) id = configured.front();
      if (id) SetId(key, *id);
    }
    // Everything that ends a generation, the tokenizer's own token first.
    std::vector<uint64_t> ends = ConfiguredIds("eos_token_id");
    if (const auto named = NamedId("eos_token")) {
      std::erase(ends, *named);
      ends.insert(ends.begin(), *named);
    }
    constexpr const char* kEndKeys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                        "tokenizer.ggml.eom_token_id"};
    for (size_t i = 0; i < ends.size() && i < std::size(kEndKeys); ++i) SetId(kEndKeys[i], ends[i]);
    AddConventionalEnds(ends);
    metadata_.Set(kEndsKey, std::vector<uint32_t>(ends.begin(), ends.end()));
    ISOVEIL_RETURN_IF_ERROR(SetAdded("add_bos_token", "bos_token", "tokenizer.ggml.bos_token_id", true));
    ISOVEIL_RETURN_IF_ERROR(SetAdded("add_eos_token", "eos_token", "tokenizer.ggml.eos_token_id", false));
    return Ok();
  }

  // Chat models often end their turns with a token that no file names as an end; llama.cpp knows these names
  // too. Only special tokens count.
  void AddConventionalEnds(std::vector<uint64_t>& ends) const {
    constexpr std::array kNames = {"<|eot_id|>",    "<|eom_id|>", "<|im_end|>",
                                   "<end_of_turn>", "<turn|>",    "<end_of_utterance>",
                                   "<|endoftext|>", "</s>",       "<eos>",
                                   "<|return|>",    "<|call|>",   "<|end_of_text|>",
                                   "[EOT]",         "<|end|>",    "<\uff5cend\u2581of\u2581sentence\uff5c>"};
    // In the Harmony format <|end|> ends a message, not the turn.
    const bool harmony = ids_.contains("<|return|>") && ids_.contains("<|call|>");
    for (const std::string name : kNames) {
      const auto it = ids_.find(name);
      if (it == ids_.end() || tokens_[it->second].type != kControl || (harmony && name == "<|end|>")) continue;
      if (std::find(ends.begin(), ends.end(), it->second) == ends.end()) ends.push_back(it->second);
    }
  }

  // Which token a text gets at its front or back: as the post-processor's template says, which is what
  // Hugging Face runs; a Llama tokenizer rebuilds that template from its flag.
  Status SetAdded(const char* flag, const char* name, const char* key, bool front) {
    const std::string tokenizer_class = s_.config.value("tokenizer_class", "");
    std::vector<uint64_t> added;
    if (tokenizer_class.starts_with("LlamaTokenizer") && s_.config.contains(flag)) {
      const std::optional<uint64_t> named = NamedId(name);
      if (named && Flag(s_.config, flag)) added = {*named};
    } else {
      ISOVEIL_ASSIGN_OR_RETURN(added, AddedByTemplate(front));
    }
    if (added.size() > 1) return Unsupported(s_, "post_processor", "adds two tokens on one side of the text");
    metadata_.Set(fmt::format("tokenizer.ggml.{}", flag), !added.empty());
    for (const uint64_t id : added) {
      if (metadata_.Find(key) != nullptr && metadata_.GetUnsigned(key) != id) {
        return Unsupported(s_, "post_processor", fmt::format("adds another token than {}", name));
      }
      SetId(key, id);
    }
    return Ok();
  }

  Result<std::vector<uint64_t>> AddedByTemplate(bool front) const {
    std::vector<uint64_t> added;
    for (const ordered_json& step : StepsOf(s_.tokenizer.value("post_processor", ordered_json()), "processors")) {
      if (TypeOf(step) == "ByteLevel") continue;  // moves offsets only
      if (TypeOf(step) != "TemplateProcessing" || !step.contains("single") || !step["single"].is_array()) {
        return Unsupported(s_, "post_processor", fmt::format("{} has no rule", Quoted(TypeOf(step))));
      }
      bool before_text = true;
      for (const ordered_json& piece : step["single"]) {
        if (!piece.contains("SpecialToken")) {
          before_text = false;
          continue;
        }
        if (before_text != front) continue;
        const auto it = ids_.find(piece["SpecialToken"].value("id", ""));
        if (it == ids_.end()) return Malformed(s_, "post_processor", "adds a token that is not there");
        added.push_back(it->second);
      }
    }
    return added;
  }

  Result<GgufMetadata> Finish() {
    std::vector<std::string> texts;
    std::vector<int32_t> types;
    for (Token& token : tokens_) {
      texts.push_back(std::move(token.text));
      types.push_back(token.type);
    }
    metadata_.Set("tokenizer.ggml.tokens", std::move(texts));
    metadata_.Set("tokenizer.ggml.token_type", std::move(types));
    metadata_.Set(kSpecialTokensKey, std::string("listed"));
    if (!strip_left_.empty()) metadata_.Set(kStripLeftKey, std::move(strip_left_));
    if (!strip_right_.empty()) metadata_.Set(kStripRightKey, std::move(strip_right_));
    if (!s_.chat_template.empty()) metadata_.Set("tokenizer.chat_template", s_.chat_template);
    return std::move(metadata_);
  }

  const HfTokenizerFiles& s_;
  uint64_t n_vocab_;
  const ordered_json* model_ = nullptr;
  bool byte_fallback_ = false;
  std::vector<Token> tokens_;
  std::unordered_map<std::string, uint64_t> ids_;
  std::vector<uint32_t> strip_left_, strip_right_;  // ids of added tokens
  GgufMetadata metadata_;
};

}  // namespace

Result<GgufMetadata> VocabularyFromHf(const Path& folder, uint64_t n_vocab) {
  ISOVEIL_ASSIGN_OR_RETURN(const HfTokenizerFiles files, HfTokenizerFiles::Read(folder));
  return VocabularyFromHf(files, n_vocab);
}

Result<GgufMetadata> VocabularyFromHf(const HfTokenizerFiles& files, uint64_t n_vocab) {
  try {
    return Converter(files, n_vocab).Run();
  } catch (const ordered_json::exception& error) {
    // A field of another type than expected; its text is not quoted.
    return Malformed(files, "tokenizer", fmt::format("a field has an unexpected type (JSON error {})", error.id));
  }
}

}  // namespace isoveil
