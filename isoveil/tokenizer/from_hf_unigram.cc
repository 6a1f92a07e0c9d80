#include <sodium.h>

#include <algorithm>

#include "isoveil/tokenizer/charsmap.h"
#include "isoveil/tokenizer/hf_conversion.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/vocabulary_check.h"

namespace isoveil {

using nlohmann::ordered_json;

namespace {

constexpr size_t kMaxCharsmap = 4 << 20;

Result<std::vector<uint8_t>> ReadCharsmap(const HfConversion& c, const ordered_json& step) {
  const std::string text = TextOf(step, "precompiled_charsmap");
  std::vector<uint8_t> bytes(std::min(text.size(), 2 * kMaxCharsmap));
  size_t n = 0;
  if (text.empty() || text.size() > kMaxCharsmap ||
      sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &n, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0) {
    return c.Malformed("normalizer.precompiled_charsmap", "expected a table in base64");
  }
  bytes.resize(n);
  ISOVEIL_RETURN_IF_ERROR(Charsmap::Parse({reinterpret_cast<const char*>(bytes.data()), n},
                                          c.files.where + ": normalizer.precompiled_charsmap"));
  return bytes;
}

Status AddReplace(const HfConversion& c, const ordered_json& step, std::vector<std::string>& steps) {
  const ordered_json pattern = step.value("pattern", ordered_json::object());
  const std::string content = TextOf(step, "content");
  const bool is_text = pattern.contains("String");
  if (!is_text && pattern.value("Regex", "") != " {2,}") {
    return c.Unsupported("normalizer", fmt::format("Replace of {} has no rule here", Quoted(pattern.dump())));
  }
  if (is_text) {
    steps.insert(steps.end(), {"replace", pattern["String"].get<std::string>(), content});
  } else {
    steps.insert(steps.end(), {"collapse_spaces", content});
  }
  return Ok();
}

Status ConvertNormalizer(HfConversion& c) {
  constexpr std::pair<std::string_view, std::string_view> kPlain[] = {{"NFC", "nfc"},
                                                                      {"NFD", "nfd"},
                                                                      {"NFKC", "nfkc"},
                                                                      {"NFKD", "nfkd"},
                                                                      {"StripAccents", "strip_accents"},
                                                                      {"Lowercase", "lowercase"}};
  std::vector<std::string> steps;
  for (const ordered_json& step : StepsOf(c.files.tokenizer, "normalizer", "normalizers")) {
    const std::string type = TypeOf(step);
    const auto* plain =
        std::find_if(std::begin(kPlain), std::end(kPlain), [&](const auto& p) { return p.first == type; });
    if (plain != std::end(kPlain)) {
      steps.emplace_back(plain->second);
    } else if (type == "Precompiled") {
      // An empty table is one that a vocabulary does without.
      if (TextOf(step, "precompiled_charsmap").empty()) continue;
      if (c.metadata.Find(kCharsmapKey) != nullptr) return c.Unsupported("normalizer", "has two tables");
      ISOVEIL_ASSIGN_OR_RETURN(std::vector<uint8_t> charsmap, ReadCharsmap(c, step));
      c.metadata.Set(kCharsmapKey, std::move(charsmap));
      steps.emplace_back("charsmap");
    } else if (type == "Strip") {
      if (step.value("strip_left", true)) steps.emplace_back("strip_left");
      if (step.value("strip_right", true)) steps.emplace_back("strip_right");
    } else if (type == "Replace") {
      ISOVEIL_RETURN_IF_ERROR(AddReplace(c, step, steps));
    } else {
      return c.Unsupported("normalizer", fmt::format("{} has no rule here", Quoted(type)));
    }
  }
  c.metadata.Set(kUnigramKey, std::move(steps));
  return Ok();
}

// WhitespaceSplit, then Metaspace; or Metaspace alone.
Status ConvertPreTokenizer(HfConversion& c) {
  std::vector<ordered_json> steps = StepsOf(c.files.tokenizer, "pre_tokenizer", "pretokenizers");
  std::vector<std::string> cuts;
  if (steps.size() == 2 && TypeOf(steps[0]) == "WhitespaceSplit") {
    cuts.emplace_back("words");
    steps.erase(steps.begin());
  }
  if (steps.size() != 1 || TypeOf(steps[0]) != "Metaspace") {
    return c.Unsupported("pre_tokenizer", "expected Metaspace, alone or behind WhitespaceSplit");
  }
  const ordered_json& metaspace = steps[0];
  // Older files say add_prefix_space.
  const std::string scheme =
      metaspace.value("prepend_scheme", metaspace.value("add_prefix_space", true) ? "always" : "never");
  if (TextOf(metaspace, "replacement") != kSpaceMark || !metaspace.value("split", true)) {
    return c.Unsupported("pre_tokenizer", fmt::format("{} has no rule here", Quoted(metaspace.dump())));
  }
  if (scheme != "always" && scheme != "never") {
    return c.Unsupported("pre_tokenizer", fmt::format("prepend_scheme {} has no rule here", Quoted(scheme)));
  }
  if (scheme == "always") cuts.emplace_back("start");
  c.metadata.Set(kUnigramCutsKey, std::move(cuts));
  return Ok();
}

// Hugging Face looks for such a token in normalised text.
Status ConvertAddedTokens(HfConversion& c) {
  std::vector<uint32_t> normalized;
  for (const ordered_json& added : c.files.tokenizer.value("added_tokens", ordered_json::array())) {
    if (!Flag(added, "normalized")) continue;
    if (!Flag(added, "special")) {
      return c.Unsupported("added_tokens", fmt::format("token {} is normalized", Quoted(TextOf(added, "content"))));
    }
    normalized.push_back(added["id"].get<uint32_t>());
  }
  if (!normalized.empty()) c.metadata.Set(kNormalizedTokensKey, std::move(normalized));
  return Ok();
}

Status ConvertModel(HfConversion& c) {
  const ordered_json unknown = c.model->value("unk_id", ordered_json());
  if (!unknown.is_number_unsigned() || unknown.get<uint64_t>() >= c.n_vocab) {
    return c.Malformed("model.unk_id", "expected the id of a token");
  }
  c.SetId("tokenizer.ggml.unknown_token_id", unknown.get<uint64_t>());
  if (Flag(*c.model, "byte_fallback")) {
    for (HfConversion::Token& byte : c.tokens) {
      if (byte.type == kNormal && IsByteToken(byte.text)) byte.type = kByte;
    }
  }
  std::vector<double> scores(c.n_vocab);
  double least = 0;
  for (uint64_t id = 0; id < (*c.model)["vocab"].size(); ++id) {
    scores[id] = (*c.model)["vocab"][id][1].get<double>();
    least = id == 0 ? scores[id] : std::min(least, scores[id]);
    if (!(std::abs(scores[id]) < 1e30)) return c.Malformed("model.vocab", "expected scores of finite size");
  }
  c.metadata.Set("tokenizer.ggml.scores", std::vector<float>(scores.begin(), scores.end()));
  c.metadata.Set(kUnigramScoresKey, std::move(scores));
  c.metadata.Set(kUnigramLeastKey, least);
  return Ok();
}

}  // namespace

Status ReadVocabList(HfConversion& c) {
  const auto malformed = [&] { return c.Malformed("model.vocab", "expected a list of texts with their scores"); };
  if (!c.model->contains("vocab") || !(*c.model)["vocab"].is_array()) return malformed();
  const ordered_json& list = (*c.model)["vocab"];
  for (uint64_t id = 0; id < list.size(); ++id) {
    const ordered_json& entry = list[id];
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) return malformed();
    ISOVEIL_RETURN_IF_ERROR(c.SetToken(id, entry[0].get<std::string>(), kNormal, "model.vocab"));
  }
  return Ok();
}

Status ConvertUnigram(HfConversion& c) {
  ISOVEIL_RETURN_IF_ERROR(ConvertModel(c));
  ISOVEIL_RETURN_IF_ERROR(ConvertNormalizer(c));
  ISOVEIL_RETURN_IF_ERROR(ConvertPreTokenizer(c));
  ISOVEIL_RETURN_IF_ERROR(ConvertAddedTokens(c));
  c.metadata.Set("tokenizer.ggml.model", std::string("t5"));
  return Ok();
}

}  // namespace isoveil
