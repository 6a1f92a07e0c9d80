#include "isoveil/tokenizer/from_hf.h"

#include <array>

#include "isoveil/base/token_id.h"
#include "isoveil/tokenizer/hf_conversion.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/vocabulary_check.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Algorithm {
  std::string_view type;                  // model.type of tokenizer.json
  Status (*read_vocab)(HfConversion& c);  // the tokens of the model, with their ids
  Status (*convert)(HfConversion& c);     // everything else that the algorithm reads; added tokens are known
};

constexpr std::array kAlgorithms = {
    Algorithm{"BPE", ReadVocabObject, ConvertBpe},
    Algorithm{"WordPiece", ReadVocabObject, ConvertWordPiece},
    Algorithm{"Unigram", ReadVocabList, ConvertUnigram},
};

Result<const Algorithm*> FindAlgorithm(HfConversion& c) {
  const ordered_json& tokenizer = c.files.tokenizer;
  if (!tokenizer.is_object() || !tokenizer.contains("model") || !tokenizer["model"].is_object()) {
    return c.Malformed("model", "expected an object");
  }
  c.model = &tokenizer["model"];
  std::string type = TypeOf(*c.model);
  if (type.empty() && c.model->contains("merges")) type = "BPE";
  if (type.empty() && c.model->contains("unk_id")) type = "Unigram";
  std::string known;
  for (const Algorithm& algorithm : kAlgorithms) {
    if (algorithm.type == type) return &algorithm;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", algorithm.type);
  }
  return c.Unsupported("model.type", fmt::format("{} has no rule; expected one of {}", Quoted(type), known));
}

Status ReadVocab(HfConversion& c, const Algorithm& algorithm) {
  if (c.n_vocab == 0 || c.n_vocab > kMaxVocabulary) return c.Malformed("vocabulary", "its size is out of range");
  c.tokens.resize(c.n_vocab);
  ISOVEIL_RETURN_IF_ERROR(algorithm.read_vocab(c));
  for (uint64_t id = 0; id < c.n_vocab; ++id) {
    if (c.tokens[id].type == kUnused) c.tokens[id].text = fmt::format("[PAD{}]", id);
  }
  return Ok();
}

Status ReadAddedTokens(HfConversion& c) {
  if (!c.files.tokenizer.contains("added_tokens") || !c.files.tokenizer["added_tokens"].is_array()) return Ok();
  for (const ordered_json& added : c.files.tokenizer["added_tokens"]) {
    if (!added.is_object() || !added.contains("content") || !added["content"].is_string() || !added.contains("id")) {
      return c.Malformed("added_tokens", "expected objects with id and content");
    }
    const auto text = added["content"].get<std::string>();
    if (Flag(added, "single_word"))
      return c.Unsupported("added_tokens", fmt::format("token {} has single_word", Quoted(text)));
    if (added["id"].is_number_unsigned() && added["id"].get<uint64_t>() < c.n_vocab &&
        c.tokens[added["id"].get<uint64_t>()].type == kUnused) {
      c.tokens[added["id"].get<uint64_t>()].text = text;
    }
    ISOVEIL_RETURN_IF_ERROR(
        c.SetToken(added["id"], text, Flag(added, "special") ? kControl : kUserDefined, "added_tokens"));
    if (Flag(added, "lstrip")) c.strip_left.push_back(added["id"].get<uint32_t>());
    if (Flag(added, "rstrip")) c.strip_right.push_back(added["id"].get<uint32_t>());
  }
  return Ok();
}

Result<GgufMetadata> Finish(HfConversion& c) {
  std::vector<std::string> texts;
  std::vector<int32_t> types;
  for (HfConversion::Token& token : c.tokens) {
    texts.push_back(std::move(token.text));
    types.push_back(token.type);
  }
  c.metadata.Set("tokenizer.ggml.tokens", std::move(texts));
  c.metadata.Set("tokenizer.ggml.token_type", std::move(types));
  c.metadata.Set(kSpecialTokensKey, std::string("listed"));
  if (!c.strip_left.empty()) c.metadata.Set(kStripLeftKey, std::move(c.strip_left));
  if (!c.strip_right.empty()) c.metadata.Set(kStripRightKey, std::move(c.strip_right));
  if (!c.files.chat_template.empty()) c.metadata.Set("tokenizer.chat_template", c.files.chat_template);
  return std::move(c.metadata);
}

Result<GgufMetadata> Convert(HfConversion& c) {
  ISOVEIL_ASSIGN_OR_RETURN(const Algorithm* algorithm, FindAlgorithm(c));
  ISOVEIL_RETURN_IF_ERROR(ReadVocab(c, *algorithm));
  ISOVEIL_RETURN_IF_ERROR(ReadAddedTokens(c));
  ConvertSpecialIds(c);
  ISOVEIL_RETURN_IF_ERROR(algorithm->convert(c));
  ISOVEIL_RETURN_IF_ERROR(ConvertPostProcessor(c));
  return Finish(c);
}

}  // namespace

Result<GgufMetadata> VocabularyFromHf(const Path& folder, uint64_t n_vocab) {
  ISOVEIL_ASSIGN_OR_RETURN(const HfTokenizerFiles files, HfTokenizerFiles::Read(folder));
  return VocabularyFromHf(files, n_vocab);
}

Result<GgufMetadata> VocabularyFromHf(const HfTokenizerFiles& files, uint64_t n_vocab) {
  HfConversion c{.files = files, .n_vocab = n_vocab};
  try {
    return Convert(c);
  } catch (const ordered_json::exception& error) {
    // A field of another type than expected; its text is not quoted.
    return c.Malformed("tokenizer", fmt::format("a field has an unexpected type (JSON error {})", error.id));
  }
}

}  // namespace isoveil
