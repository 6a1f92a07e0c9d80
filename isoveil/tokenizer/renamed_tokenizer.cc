#include "isoveil/tokenizer/renamed_tokenizer.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_set>

#include "isoveil/tokenizer/hf_conversion.h"

namespace isoveil {

using nlohmann::ordered_json;

namespace {

class Renaming {
 public:
  Renaming(std::string where, std::span<const int32_t> renamed, bool has_segments)
      : where_(std::move(where)), renamed_(renamed), has_segments_(has_segments) {}

  Result<ordered_json> Tokenizer(ordered_json tokenizer) const {
    ISOVEIL_RETURN_IF_ERROR(RenameAdded(tokenizer));
    ISOVEIL_RETURN_IF_ERROR(RenameVocab(tokenizer));
    if (tokenizer.contains("post_processor")) ISOVEIL_RETURN_IF_ERROR(RenameProcessor(tokenizer["post_processor"]));
    if (tokenizer.contains("padding") && tokenizer["padding"].is_object())
      ISOVEIL_RETURN_IF_ERROR(Rename(tokenizer["padding"]["pad_id"], "padding.pad_id"));
    return tokenizer;
  }

  Result<ordered_json> Config(const HfTokenizerFiles& files) const {
    ordered_json config = files.config;
    const bool from_lines = where_.ends_with("vocab.txt");
    // Without a class, transformers asks config.json for the kind of model, and that for what the model takes.
    if (TextOf(config, "tokenizer_class").empty()) {
      config["tokenizer_class"] = from_lines ? "BertTokenizer" : "PreTrainedTokenizerFast";
      if (!has_segments_ && !config.contains("model_input_names")) {
        config["model_input_names"] = {"input_ids", "attention_mask"};
      }
    }
    // What transformers does with a folder of lines, and not with one of JSON, unless it is told.
    if (from_lines && !config.contains("clean_up_tokenization_spaces")) config["clean_up_tokenization_spaces"] = true;
    if (!files.chat_template.empty()) config["chat_template"] = files.chat_template;
    if (!config.contains("added_tokens_decoder")) return config;
    ordered_json tokens = ordered_json::object();
    for (const auto& [key, token] : config["added_tokens_decoder"].items()) {
      uint64_t number = renamed_.size();
      const bool whole = std::from_chars(key.data(), key.data() + key.size(), number).ptr == key.data() + key.size();
      ordered_json id = whole ? number : renamed_.size();
      ISOVEIL_RETURN_IF_ERROR(Rename(id, "added_tokens_decoder"));
      tokens[id.dump()] = token;
    }
    config["added_tokens_decoder"] = std::move(tokens);
    return config;
  }

 private:
  Status Rename(ordered_json& id, const char* field) const {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= renamed_.size()) {
      return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where_, field),
                  fmt::format("expected ids below {}", renamed_.size()));
    }
    id = static_cast<uint64_t>(renamed_[id.get<uint64_t>()]);
    return Ok();
  }

  Status RenameAdded(ordered_json& tokenizer) const {
    if (!tokenizer.contains("added_tokens") || !tokenizer["added_tokens"].is_array()) return Ok();
    ordered_json& added = tokenizer["added_tokens"];
    for (ordered_json& token : added) ISOVEIL_RETURN_IF_ERROR(Rename(token.at("id"), "added_tokens"));
    std::sort(added.begin(), added.end(), [](const ordered_json& a, const ordered_json& b) {
      return a["id"].get<uint64_t>() < b["id"].get<uint64_t>();
    });
    return Ok();
  }

  Status RenameVocab(ordered_json& tokenizer) const {
    const bool has_vocab = tokenizer.contains("model") && tokenizer["model"].is_object();
    if (has_vocab && tokenizer["model"].value("vocab", ordered_json()).is_array()) return RenameScores(tokenizer);
    if (!has_vocab || !tokenizer["model"].value("vocab", ordered_json()).is_object()) {
      return Fail(ErrorCode::kUnsupported, where_ + ": model.vocab", "expected an object of texts and ids, or a list");
    }
    std::map<uint64_t, std::string> texts;  // in the order of new ids: nothing remains of the plain one
    std::unordered_set<std::string> known;
    for (auto& [text, id] : tokenizer["model"]["vocab"].items()) {
      ISOVEIL_RETURN_IF_ERROR(Rename(id, "model.vocab"));
      texts[id.get<uint64_t>()] = text;
      known.insert(text);
    }
    for (const ordered_json& token : tokenizer.value("added_tokens", ordered_json::array())) {
      const std::string text = TextOf(token, "content");
      if (known.insert(text).second) texts[token["id"].get<uint64_t>()] = text;
    }
    ordered_json vocab = ordered_json::object();
    // Appended as it is: a search for each text would take the square of their number.
    auto& entries = vocab.get_ref<ordered_json::object_t&>();
    for (auto& [id, text] : texts) entries.emplace_back(std::move(text), id);
    tokenizer["model"]["vocab"] = std::move(vocab);
    return Ok();
  }

  // Unigram's list of texts and scores, by id. What no text may become has a name of its own: a text of U+10FFFF, which
  // no text has, and the least score, which leaves that of unknown characters where it is.
  Status RenameScores(ordered_json& tokenizer) const {
    ordered_json& model = tokenizer["model"];
    const ordered_json vocab = std::move(model["vocab"]);
    ordered_json least = vocab.empty() ? ordered_json(0.0) : vocab[0].at(1);
    for (const ordered_json& entry : vocab) least = std::min(least, entry.at(1));
    std::vector<ordered_json> entries;
    for (size_t id = 0; id < renamed_.size(); ++id) {
      entries.push_back(ordered_json::array({fmt::format("\xf4\x8f\xbf\xbf{}", id), least}));
    }
    for (size_t id = 0; id < vocab.size(); ++id) {
      ordered_json renamed = id;
      ISOVEIL_RETURN_IF_ERROR(Rename(renamed, "model.vocab"));
      entries[renamed.get<size_t>()] = vocab[id];
    }
    for (const ordered_json& token : tokenizer.value("added_tokens", ordered_json::array())) {
      entries.at(token.at("id").get<size_t>())[0] = token.at("content");
    }
    model["vocab"] = std::move(entries);
    return Rename(model.at("unk_id"), "model.unk_id");
  }

  Status RenameProcessor(ordered_json& processor) const {
    if (!processor.is_object()) return Ok();
    if (processor.contains("processors")) {
      for (ordered_json& step : processor["processors"]) ISOVEIL_RETURN_IF_ERROR(RenameProcessor(step));
    }
    for (const char* name : {"cls", "sep"}) {
      if (processor.contains(name)) ISOVEIL_RETURN_IF_ERROR(Rename(processor[name].at(1), "post_processor"));
    }
    if (!processor.contains("special_tokens")) return Ok();
    for (ordered_json& token : processor["special_tokens"]) {
      for (ordered_json& id : token.at("ids")) ISOVEIL_RETURN_IF_ERROR(Rename(id, "post_processor"));
    }
    return Ok();
  }

  std::string where_;
  std::span<const int32_t> renamed_;
  bool has_segments_;
};

}  // namespace

Result<std::vector<TextFile>> RenameTokenizer(const HfTokenizerFiles& files, std::span<const int32_t> renamed,
                                              bool has_segments) {
  try {
    const Renaming renaming(files.where, renamed, has_segments);
    ISOVEIL_ASSIGN_OR_RETURN(const ordered_json tokenizer, renaming.Tokenizer(files.tokenizer));
    ISOVEIL_ASSIGN_OR_RETURN(const ordered_json config, renaming.Config(files));
    std::vector<TextFile> texts = {{"tokenizer.json", tokenizer.dump(1) + "\n"},
                                   {"tokenizer_config.json", config.dump(1) + "\n"}};
    if (!files.special.empty()) texts.push_back({"special_tokens_map.json", files.special.dump(1) + "\n"});
    return texts;
  } catch (const ordered_json::exception& error) {
    return Fail(ErrorCode::kFormat, files.where,
                fmt::format("a field has an unexpected type (JSON error {})", error.id));
  }
}

}  // namespace isoveil
