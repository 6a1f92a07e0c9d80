#include <algorithm>
#include <array>

#include "isoveil/tokenizer/hf_conversion.h"
#include "isoveil/tokenizer/own_keys.h"

namespace isoveil {

using nlohmann::ordered_json;

namespace {

// The ids of a field of generation_config.json or config.json.
std::vector<uint64_t> ConfiguredIds(const HfConversion& c, const char* field) {
  std::vector<uint64_t> ids;
  for (const ordered_json* file : {&c.files.generation, &c.files.model}) {
    const auto it = file->find(field);
    if (it == file->end()) continue;
    for (const ordered_json& id : it->is_array() ? *it : ordered_json::array({*it})) {
      if (id.is_number_unsigned() && id.get<uint64_t>() < c.n_vocab &&
          std::find(ids.begin(), ids.end(), id.get<uint64_t>()) == ids.end()) {
        ids.push_back(id.get<uint64_t>());
      }
    }
  }
  return ids;
}

// Chat models often end their turns with a token that no file names as an end; llama.cpp knows these names
// too. Only special tokens count.
void AddConventionalEnds(const HfConversion& c, std::vector<uint64_t>& ends) {
  constexpr std::array kNames = {"<|eot_id|>",    "<|eom_id|>", "<|im_end|>",
                                 "<end_of_turn>", "<turn|>",    "<end_of_utterance>",
                                 "<|endoftext|>", "</s>",       "<eos>",
                                 "<|return|>",    "<|call|>",   "<|end_of_text|>",
                                 "[EOT]",         "<|end|>",    "<\uff5cend\u2581of\u2581sentence\uff5c>"};
  // In the Harmony format <|end|> ends a message, not the turn.
  const bool harmony = c.ids.contains("<|return|>") && c.ids.contains("<|call|>");
  for (const std::string name : kNames) {
    const auto it = c.ids.find(name);
    if (it == c.ids.end() || c.tokens[it->second].type != kControl || (harmony && name == "<|end|>")) continue;
    if (std::find(ends.begin(), ends.end(), it->second) == ends.end()) ends.push_back(it->second);
  }
}

}  // namespace

void ConvertSpecialIds(HfConversion& c) {
  const std::pair<const char*, std::pair<const char*, const char*>> kinds[] = {
      {"tokenizer.ggml.bos_token_id", {"bos_token", "bos_token_id"}},
      {"tokenizer.ggml.padding_token_id", {"pad_token", "pad_token_id"}},
      {"tokenizer.ggml.unknown_token_id", {"unk_token", "unk_token_id"}},
      {"tokenizer.ggml.seperator_token_id", {"sep_token", "sep_token_id"}},
      {"tokenizer.ggml.mask_token_id", {"mask_token", "mask_token_id"}},
  };
  for (const auto& [key, names] : kinds) {
    std::optional<uint64_t> id = c.NamedId(names.first);
    const std::vector<uint64_t> configured = ConfiguredIds(c, names.second);
    if (!id && !configured.empty()) id = configured.front();
    if (id) c.SetId(key, *id);
  }
  // Everything that ends a generation, the tokenizer's own token first.
  std::vector<uint64_t> ends = ConfiguredIds(c, "eos_token_id");
  if (const auto named = c.NamedId("eos_token")) {
    std::erase(ends, *named);
    ends.insert(ends.begin(), *named);
  }
  constexpr const char* kEndKeys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                      "tokenizer.ggml.eom_token_id"};
  for (size_t i = 0; i < ends.size() && i < std::size(kEndKeys); ++i) c.SetId(kEndKeys[i], ends[i]);
  AddConventionalEnds(c, ends);
  c.metadata.Set(kEndsKey, std::vector<uint32_t>(ends.begin(), ends.end()));
}

}  // namespace isoveil
