// The files of a Hugging Face tokenizer, apart by lines "---": tokenizer.json (not read where there is a last one),
// then the others in the order below.
#include "isoveil/tokenizer/from_hf.h"
#include "isoveil/tokenizer/hf_tokenizer_files.h"
#include "isoveil/tokenizer/vocabulary_properties_for_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  constexpr uint64_t kRows = 300;
  constexpr std::string_view kBetween = "\n---\n";
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  HfTokenizerFiles::Texts texts;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json",
                           "generation_config.json", "chat_template.json", "chat_template.jinja", "vocab.txt"}) {
    const size_t end = rest.find(kBetween);
    texts[name] = rest.substr(0, end);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + kBetween.size());
  }
  const auto files = HfTokenizerFiles::Parse(texts, "model");
  const auto metadata = files ? VocabularyFromHf(*files, kRows) : Result<GgufMetadata>(tl::unexpected(files.error()));
  if (!metadata) {
    Require(metadata.error().where.starts_with("model/"), "errors name the file");
    return 0;
  }
  const auto vocabulary = Vocabulary::FromMetadata(*metadata, "model");
  if (!vocabulary) {
    Require(!vocabulary.error().where.empty() && !vocabulary.error().problem.empty(), "errors say where and what");
    return 0;
  }
  Require(vocabulary->n_tokens() == kRows, "a token for each row of the embedding");
  RequireProperties(*vocabulary);
  return 0;
}
