// What the parts of from_hf.h share: the tokenizer that is read and the keys that are made of it. A part takes the
// conversion, reads `files` and fills the rest; from_hf.cc says in which order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/format/gguf.h"
#include "isoveil/tokenizer/hf_tokenizer_files.h"

namespace isoveil {

// The types of tokenizer.ggml.token_type.
enum TokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

inline constexpr const char* kSpaceMark = "\xe2\x96\x81";  // U+2581

struct HfConversion {
  struct Token {
    std::string text;
    int32_t type = kUnused;
    float score = 0;
  };

  const HfTokenizerFiles& files;
  uint64_t n_vocab;
  const nlohmann::ordered_json* model = nullptr;  // `model` of tokenizer.json, an object
  std::vector<Token> tokens;                      // by id, with Hugging Face's texts
  std::unordered_map<std::string, uint64_t> ids;  // by text
  std::vector<uint32_t> strip_left, strip_right;  // ids of added tokens
  GgufMetadata metadata;

  tl::unexpected<Error> Unsupported(std::string_view field, std::string problem) const;
  tl::unexpected<Error> Malformed(std::string_view field, std::string problem) const;

  // kFormat unless `id` is that of a row without another text.
  Status SetToken(const nlohmann::ordered_json& id, const std::string& text, int32_t type, const char* field);
  // A token by the name that tokenizer_config.json or special_tokens_map.json gives it.
  std::optional<uint64_t> NamedId(const char* name) const;
  void SetId(const char* key, uint64_t id) { metadata.Set(key, static_cast<uint32_t>(id)); }
};

// Fields of tokenizer.json: a missing one, and one of another type, is false or empty.
bool Flag(const nlohmann::ordered_json& object, const char* name);
std::string TextOf(const nlohmann::ordered_json& object, const char* name);
std::string TypeOf(const nlohmann::ordered_json& object);
// The steps of a component that may be a Sequence of them, which lie in `list`.
std::vector<nlohmann::ordered_json> StepsOf(const nlohmann::ordered_json& tokenizer, const char* component,
                                            const char* list);

// model.vocab where it is an object: of BPE and WordPiece.
Status ReadVocabObject(HfConversion& c);
// Where it is a list: of Unigram.
Status ReadVocabList(HfConversion& c);

// One algorithm each: the normalizer, the pre-tokenizer and the model.
Status ConvertBpe(HfConversion& c);
Status ConvertByteFallback(HfConversion& c);  // the kind of BPE over U+2581
Status ConvertWordPiece(HfConversion& c);
Status ConvertUnigram(HfConversion& c);
// Both spellings of model.merges: "a b" and ["a", "b"].
Result<std::vector<std::pair<std::string, std::string>>> ReadMerges(const HfConversion& c);

// The ids with a meaning of their own, and those that end a generation.
void ConvertSpecialIds(HfConversion& c);
// What is put around a text and around a pair of texts.
Status ConvertPostProcessor(HfConversion& c);

}  // namespace isoveil
