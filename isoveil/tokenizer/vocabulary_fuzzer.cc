// Any bytes as a GGUF file with a tokenizer: llama.cpp, which ends the process where tables contradict each other, sees
// only what passes the check before it.
#include "isoveil/tokenizer/vocabulary_properties_for_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  const auto file = GgufFile::Parse(std::as_bytes(std::span(data, size)), "fuzz.gguf");
  if (!file) return 0;
  const auto vocabulary = Vocabulary::FromMetadata(file->metadata(), "fuzz.gguf");
  if (!vocabulary) {
    Require(!vocabulary.error().where.empty() && !vocabulary.error().problem.empty(), "errors say where and what");
    return 0;
  }
  RequireProperties(*vocabulary);
  return 0;
}
