#include "isoveil/transform/source_texts.h"

#include <nlohmann/json.hpp>

#include "isoveil/tokenizer/chat_examples.h"
#include "isoveil/tokenizer/from_hf.h"

namespace isoveil {

Result<GgufMetadata> ReadVocabulary(const Checkpoint& checkpoint, uint64_t n_vocab) {
  if (const HfFolder* hf = checkpoint.hf()) return VocabularyFromHf(hf->path(), n_vocab);
  GgufMetadata vocabulary;
  for (const auto& [key, value] : checkpoint.gguf()->metadata()) {
    if (key.starts_with("tokenizer.")) vocabulary.Set(key, value);
  }
  return vocabulary;
}

bool HasPlaceholderVocabulary(const Checkpoint& checkpoint) {
  if (const HfFolder* hf = checkpoint.hf()) {
    const auto text = ReadTextFile(hf->path() / "tokenizer.json");
    return text && text->find("\"vocab\":{\"t0000") != std::string::npos;
  }
  const auto tokens = checkpoint.gguf()->metadata().GetStrings("tokenizer.ggml.tokens");
  return tokens && !tokens->empty() && tokens->front().starts_with("t0000");
}

Result<std::vector<TextFile>> ClientTexts(const Checkpoint& checkpoint) {
  std::vector<TextFile> texts;
  const HfFolder* hf = checkpoint.hf();
  if (hf == nullptr) return texts;
  for (const Path& path : hf->tokenizer_files()) {
    ISOVEIL_ASSIGN_OR_RETURN(std::string text, ReadTextFile(path));
    texts.push_back({path.filename().string(), std::move(text)});
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> examples, ReadChatExamples(hf->path()));
  if (!examples.empty()) texts.push_back({kChatExamplesFile, nlohmann::ordered_json(examples).dump(1) + "\n"});
  return texts;
}

}  // namespace isoveil
