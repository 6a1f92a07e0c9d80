#include "isoveil/tokenizer/hf_conversion.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/pre_tokenizers.h"

namespace isoveil {

using nlohmann::ordered_json;

Result<std::vector<std::pair<std::string, std::string>>> ReadMerges(const HfConversion& c) {
  std::vector<std::pair<std::string, std::string>> merges;
  if (!c.model->contains("merges") || !(*c.model)["merges"].is_array())
    return c.Malformed("model.merges", "expected a list");
  for (const ordered_json& merge : (*c.model)["merges"]) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    const std::string text = merge.is_string() ? merge.get<std::string>() : "";
    const size_t space = text.find(' ', 1);
    if (space == std::string::npos)
      return c.Malformed("model.merges", fmt::format("entry {} is no pair", merges.size()));
    merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return merges;
}

namespace {

// What neither kind of BPE has.
Status CheckModel(const HfConversion& c) {
  for (const char* field : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!TextOf(*c.model, field).empty())
      return c.Unsupported(std::string("model.") + field, "llama.cpp has no such affix");
  }
  if (c.model->contains("dropout") && (*c.model)["dropout"].is_number() && (*c.model)["dropout"] != 0) {
    return c.Unsupported("model.dropout", "is random");
  }
  return Ok();
}

// Without a token for every byte, Hugging Face drops what llama.cpp may not.
Status CheckByteCharacters(const HfConversion& c) {
  for (const char* bytes : {"!", "~", "\u0120", "\u00ff"}) {
    if (!c.ids.contains(bytes))
      return c.Unsupported("model.vocab", fmt::format("has no token for the byte {}", Quoted(bytes)));
  }
  return Ok();
}

Status ConvertByteLevel(HfConversion& c) {
  for (const ordered_json& step : StepsOf(c.files.tokenizer, "normalizer", "normalizers")) {
    if (TypeOf(step) != "NFC") return c.Unsupported("normalizer", fmt::format("{} has no rule", Quoted(TypeOf(step))));
    c.metadata.Set(kNormalizerKey, std::string("nfc"));
  }
  ISOVEIL_RETURN_IF_ERROR(CheckByteCharacters(c));
  const bool ignore_merges = Flag(*c.model, "ignore_merges");
  ISOVEIL_ASSIGN_OR_RETURN(
      const PreTokenizer pre,
      FindPreTokenizer(c.files.tokenizer.value("pre_tokenizer", ordered_json()), ignore_merges, c.files.where));
  ISOVEIL_ASSIGN_OR_RETURN(const auto merges, ReadMerges(c));
  std::vector<std::string> lines;
  for (const auto& [left, right] : merges) lines.push_back(left + " " + right);
  c.metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
  c.metadata.Set("tokenizer.ggml.pre", std::string(pre.name));
  c.metadata.Set("tokenizer.ggml.merges", std::move(lines));
  return Ok();
}

}  // namespace

Status ConvertBpe(HfConversion& c) {
  ISOVEIL_RETURN_IF_ERROR(CheckModel(c));
  return Flag(*c.model, "byte_fallback") ? ConvertByteFallback(c) : ConvertByteLevel(c);
}

}  // namespace isoveil
