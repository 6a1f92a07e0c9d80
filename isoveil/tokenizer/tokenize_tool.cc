// A vocabulary behind stdin and stdout, for tests that compare it with another tokenizer.
//
//   isoveil_tokenize FOLDER N_VOCAB < requests > answers         one JSON value a line
//
//   {"text": "Hi", "add_special": true, "parse_special": false}  ->  [1, 15]
//   {"text": "Hi", "pair": "you", "add_special": true}            ->  [[1, 15, 2, 16], [0, 0, 1, 1]], ids and types
//   {"ids": [1, 15], "special": false}                           ->  "Hi"
//
// FOLDER is a Hugging Face folder, or a GGUF file (N_VOCAB is not looked at).
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "isoveil/tokenizer/detokenizer.h"
#include "isoveil/tokenizer/from_hf.h"
#include "isoveil/tokenizer/pair_encoding.h"
#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {
namespace {

using nlohmann::json;

Result<Vocabulary> Open(const Path& path, uint64_t n_vocab) {
  if (!IsFolder(path)) return Vocabulary::Load(path);
  ISOVEIL_ASSIGN_OR_RETURN(const GgufMetadata metadata, VocabularyFromHf(path, n_vocab));
  return Vocabulary::FromMetadata(metadata, path.string());
}

Result<json> Answer(const Vocabulary& vocabulary, const json& request) {
  if (request.contains("text")) {
    const TokenizeOptions options = {.add_special = request.value("add_special", false),
                                     .parse_special = request.value("parse_special", false)};
    const auto text = request["text"].get<std::string>();
    if (request.contains("pair")) {
      ISOVEIL_ASSIGN_OR_RETURN(const PairEncoding pair,
                               TokenizePair(vocabulary, text, request["pair"].get<std::string>(), options));
      return json::array({json(pair.ids), json(pair.types)});
    }
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<PlainId> ids, vocabulary.Tokenize(text, options));
    return json(ids);
  }
  const auto ids = request["ids"].get<std::vector<PlainId>>();
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text,
                           vocabulary.Detokenize(ids, {.special = request.value("special", false)}));
  return json(text);
}

int Run(const Path& path, uint64_t n_vocab) {
  const auto start = std::chrono::steady_clock::now();
  const Result<Vocabulary> vocabulary = Open(path, n_vocab);
  if (!vocabulary) {
    std::cerr << vocabulary.error().Message() << "\n";
    return 1;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::cerr << "opened in " << seconds.count() << " s\n";
  for (std::string line; std::getline(std::cin, line);) {
    const Result<json> answer = Answer(*vocabulary, json::parse(line));
    std::cout << (answer ? *answer : json::object({{"error", answer.error().Message()}})).dump() << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace isoveil

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: isoveil_tokenize FOLDER N_VOCAB\n";
    return 2;
  }
  return isoveil::Run(argv[1], std::stoull(argv[2]));
}
