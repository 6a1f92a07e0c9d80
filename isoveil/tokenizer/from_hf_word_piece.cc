#include "isoveil/tokenizer/hf_conversion.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/word_piece.h"

namespace isoveil {

using nlohmann::ordered_json;

namespace {

constexpr std::string_view kPrefix = "##";

bool FlagOr(const ordered_json& object, const char* name, bool fallback) {
  return object.contains(name) && object[name].is_boolean() ? object[name].get<bool>() : fallback;
}

Status ConvertNormalizer(HfConversion& c) {
  std::vector<std::string> steps;
  const std::vector<ordered_json> normalizers = StepsOf(c.files.tokenizer, "normalizer", "normalizers");
  for (const ordered_json& step : normalizers) {
    if (TypeOf(step) != "BertNormalizer" || normalizers.size() != 1)
      return c.Unsupported("normalizer", fmt::format("{} has no rule here", Quoted(TypeOf(step))));
    const bool lowercase = FlagOr(step, "lowercase", true);
    if (FlagOr(step, "clean_text", true)) steps.emplace_back("clean_text");
    if (FlagOr(step, "handle_chinese_chars", true)) steps.emplace_back("chinese_chars");
    // Null stands for what lower case is.
    if (FlagOr(step, "strip_accents", lowercase)) steps.emplace_back("strip_accents");
    if (lowercase) steps.emplace_back("lowercase");
  }
  c.metadata.Set(kWordPieceKey, std::move(steps));
  return Ok();
}

Status CheckPreTokenizer(const HfConversion& c) {
  const std::vector<ordered_json> steps = StepsOf(c.files.tokenizer, "pre_tokenizer", "pretokenizers");
  if (steps.size() == 1 && TypeOf(steps[0]) == "BertPreTokenizer") return Ok();
  return c.Unsupported("pre_tokenizer", "expected BertPreTokenizer alone");
}

// Hugging Face looks for such a token in normalised text and by its normalised text.
Status CheckAddedTokens(const HfConversion& c) {
  for (const ordered_json& added : c.files.tokenizer.value("added_tokens", ordered_json::array())) {
    if (Flag(added, "normalized"))
      return c.Unsupported("added_tokens", fmt::format("token {} is normalized", Quoted(TextOf(added, "content"))));
  }
  return Ok();
}

Status ConvertModel(HfConversion& c) {
  if (TextOf(*c.model, "continuing_subword_prefix") != kPrefix)
    return c.Unsupported("model.continuing_subword_prefix", fmt::format("expected {}", Quoted(kPrefix)));
  const auto unknown = c.ids.find(TextOf(*c.model, "unk_token"));
  if (unknown == c.ids.end()) return c.Malformed("model.unk_token", "expected a token of the vocabulary");
  c.SetId("tokenizer.ggml.unknown_token_id", unknown->second);
  const ordered_json longest = c.model->value("max_input_chars_per_word", ordered_json(uint64_t{100}));
  if (!longest.is_number_unsigned()) return c.Malformed("model.max_input_chars_per_word", "expected a number");
  if (longest.get<uint64_t>() > WordPiece::kMaxWord)
    return c.Unsupported("model.max_input_chars_per_word", fmt::format("expected at most {}", WordPiece::kMaxWord));
  c.metadata.Set(kMaxWordKey, longest.get<uint32_t>());
  return Ok();
}

// As llama.cpp spells tokens of this kind.
Status Respell(HfConversion& c) {
  for (HfConversion::Token& token : c.tokens) {
    if (token.type != kNormal) continue;
    const bool continues = token.text.starts_with(kPrefix);
    token.text = continues ? token.text.substr(kPrefix.size()) : kSpaceMark + token.text;
    // A continuation by U+2581 alone is told from a word, since no word is empty.
    if (continues ? token.text.starts_with(kSpaceMark) && token.text != kSpaceMark : token.text == kSpaceMark)
      return c.Unsupported("model.vocab", "has an empty word, or a continuation that begins with U+2581");
  }
  return Ok();
}

}  // namespace

Status ConvertWordPiece(HfConversion& c) {
  ISOVEIL_RETURN_IF_ERROR(ConvertModel(c));
  ISOVEIL_RETURN_IF_ERROR(ConvertNormalizer(c));
  ISOVEIL_RETURN_IF_ERROR(CheckPreTokenizer(c));
  ISOVEIL_RETURN_IF_ERROR(CheckAddedTokens(c));
  c.metadata.Set("tokenizer.ggml.model", std::string("bert"));
  return Respell(c);
}

}  // namespace isoveil
