#include "isoveil/tokenizer/hf_conversion.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/vocabulary_check.h"

namespace isoveil {

using nlohmann::ordered_json;

namespace {

// After the normalizer there are no spaces left to split at (Gemma).
bool SplitsAtSpaces(const ordered_json& step) {
  return TypeOf(step) == "Split" && step.contains("pattern") && step["pattern"].value("String", "") == " ";
}

// Spaces become U+2581, by normalizers or by Metaspace. True where llama.cpp puts one before the text;
// where the text may have its own, kSpacePrefixKey is set instead.
Result<bool> ReadSpacePrefix(HfConversion& c) {
  bool prefix = false;
  bool replaced = false;
  for (const ordered_json& step : StepsOf(c.files.tokenizer, "normalizer", "normalizers")) {
    const std::string type = TypeOf(step);
    if (type == "Prepend" && !replaced && step.value("prepend", "") == kSpaceMark) {
      prefix = true;
    } else if (type == "Replace" && step.contains("pattern") && step["pattern"].value("String", "") == " " &&
               step.value("content", "") == kSpaceMark) {
      replaced = true;
    } else {
      return c.Unsupported("normalizer", fmt::format("{} has no rule", Quoted(type)));
    }
  }
  for (const ordered_json& step : StepsOf(c.files.tokenizer, "pre_tokenizer", "pretokenizers")) {
    if (replaced && SplitsAtSpaces(step)) continue;
    const std::string scheme = step.value("prepend_scheme", "always");
    if (TypeOf(step) != "Metaspace" || step.value("replacement", "") != kSpaceMark || step.value("split", true) ||
        prefix) {
      return c.Unsupported("pre_tokenizer", fmt::format("{} has no rule here", Quoted(step.dump())));
    }
    replaced = true;
    if (scheme != "never") c.metadata.Set(kSpacePrefixKey, std::string(scheme == "first" ? "first" : "each"));
  }
  if (!replaced) return c.Unsupported("normalizer", "spaces are not replaced by U+2581");
  return prefix;
}

// The merges as they are (ranked_merges.h), and scores for llama.cpp, which nearly say the same: a token
// has minus the rank of its first merge.
Status SetMerges(HfConversion& c, const std::vector<std::pair<std::string, std::string>>& merges) {
  std::vector<uint32_t> pairs;
  // Tokens that no merge makes are single characters, bytes or added ones: they never compete.
  for (HfConversion::Token& token : c.tokens) token.score = kNeverMerged;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    for (const std::string& text : {left, right, left + right}) {
      if (!c.ids.contains(text))
        return c.Malformed("model.merges", fmt::format("entry {} names a token that is not in the vocabulary", rank));
    }
    pairs.push_back(static_cast<uint32_t>(c.ids.at(left)));
    pairs.push_back(static_cast<uint32_t>(c.ids.at(right)));
    HfConversion::Token& made = c.tokens[c.ids.at(left + right)];
    if (made.score == kNeverMerged) made.score = -static_cast<float>(rank);
  }
  c.metadata.Set(kMergesKey, std::move(pairs));
  return Ok();
}

Status MarkBytesAndUnknown(HfConversion& c) {
  size_t n_bytes = 0;
  for (HfConversion::Token& token : c.tokens) {
    if (token.type != kNormal || !IsByteToken(token.text)) continue;
    token.type = kByte;
    ++n_bytes;
  }
  if (n_bytes != 256) {
    return c.Unsupported("model.vocab",
                         fmt::format("byte_fallback needs 256 byte tokens, <0x00> to <0xFF>, found {}", n_bytes));
  }
  const std::string unknown = TextOf(*c.model, "unk_token");
  if (const auto it = c.ids.find(unknown); it != c.ids.end()) c.tokens[it->second].type = kUnknown;
  return Ok();
}

}  // namespace

Status ConvertByteFallback(HfConversion& c) {
  if (Flag(*c.model, "ignore_merges")) return c.Unsupported("model.ignore_merges", "has no rule here");
  ISOVEIL_ASSIGN_OR_RETURN(const bool prefix, ReadSpacePrefix(c));
  ISOVEIL_RETURN_IF_ERROR(MarkBytesAndUnknown(c));
  ISOVEIL_ASSIGN_OR_RETURN(const auto merges, ReadMerges(c));
  ISOVEIL_RETURN_IF_ERROR(SetMerges(c, merges));
  c.metadata.Set("tokenizer.ggml.model", std::string("llama"));
  c.metadata.Set("tokenizer.ggml.pre", std::string("default"));
  c.metadata.Set("tokenizer.ggml.add_space_prefix", prefix);
  std::vector<float> scores;
  for (const HfConversion::Token& token : c.tokens) scores.push_back(token.score);
  c.metadata.Set("tokenizer.ggml.scores", std::move(scores));
  return Ok();
}

}  // namespace isoveil
