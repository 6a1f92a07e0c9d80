// Small vocabularies for tests.
#pragma once

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "isoveil/format/gguf.h"
#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {

// The vocabularies that come with llama.cpp: "models/ggml-vocab-*.gguf".
inline std::vector<Path> LlamaVocabularies() {
  std::vector<Path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(Path(ISOVEIL_LLAMA_PREFIX) / "models")) {
    if (entry.path().extension() == ".gguf") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

inline std::string ReadBytes(const Path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// SentencePiece: 0 "<unk>", 1 "<s>", 2 "</s>", 3 to 258 the bytes, then a few words.
inline constexpr int32_t kFirstByte = 3;
inline constexpr int32_t kFirstWord = 259;

inline GgufMetadata SmallSentencePiece() {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> types = {2, 3, 3};
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(fmt::format("<0x{:02X}>", byte));
  types.resize(tokens.size(), 6);
  for (const char* word : {"\u2581", "a", "b", "\u2581a", "ab"}) tokens.emplace_back(word);
  types.resize(tokens.size(), 1);
  std::vector<float> scores(tokens.size(), -1e9F);
  scores[tokens.size() - 2] = -1;
  scores[tokens.size() - 1] = -2;
  GgufMetadata metadata("test.gguf");
  metadata.Set("tokenizer.ggml.model", std::string("llama"));
  metadata.Set("tokenizer.ggml.pre", std::string("default"));
  metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
  metadata.Set("tokenizer.ggml.scores", std::move(scores));
  metadata.Set("tokenizer.ggml.token_type", std::move(types));
  metadata.Set("tokenizer.ggml.bos_token_id", uint32_t{1});
  metadata.Set("tokenizer.ggml.eos_token_id", uint32_t{2});
  metadata.Set("tokenizer.ggml.unknown_token_id", uint32_t{0});
  metadata.Set("tokenizer.ggml.add_bos_token", true);
  metadata.Set("tokenizer.ggml.add_eos_token", false);
  return metadata;
}

inline std::string Utf8Of(unsigned point) {
  if (point < 0x80) return std::string(1, static_cast<char>(point));
  return {static_cast<char>(0xc0 | (point >> 6)), static_cast<char>(0x80 | (point & 0x3f))};
}

// GPT-2's names of the bytes, in the order of the bytes.
inline std::vector<std::string> ByteNames() {
  std::vector<std::string> names;
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    names.push_back(Utf8Of(printable ? byte : next++));
  }
  return names;
}

// Byte-level BPE: 0 to 255 the bytes, 256 "<|end|>" (control), 257 "he", 258 "llo", 259 "hello".
inline GgufMetadata SmallByteLevel() {
  std::vector<std::string> tokens = ByteNames();
  std::vector<int32_t> types(256, 1);
  for (const char* token : {"<|end|>", "he", "ll", "llo", "hello"}) tokens.emplace_back(token);
  types.resize(tokens.size(), 1);
  types[256] = 3;
  GgufMetadata metadata("test.gguf");
  metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.Set("tokenizer.ggml.pre", std::string("gpt-2"));
  metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
  metadata.Set("tokenizer.ggml.token_type", std::move(types));
  metadata.Set("tokenizer.ggml.merges", std::vector<std::string>{"h e", "l l", "ll o", "he llo"});
  metadata.Set("tokenizer.ggml.eos_token_id", uint32_t{256});
  metadata.Set("tokenizer.ggml.add_bos_token", false);
  return metadata;
}

// WordPiece ("bert") or Unigram ("t5"): four special tokens and two words.
inline GgufMetadata SmallWords(const std::string& model) {
  GgufMetadata metadata("test.gguf");
  const std::string mark = "\xe2\x96\x81";
  metadata.Set("tokenizer.ggml.model", model);
  metadata.Set("tokenizer.ggml.tokens",
               std::vector<std::string>{"<pad>", "<unk>", "<s>", "</s>", mark + "hello", "lo", mark});
  metadata.Set("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, 0, -1, -2, -3});
  metadata.Set("tokenizer.ggml.token_type", std::vector<int32_t>{3, 2, 3, 3, 1, 1, 1});
  metadata.Set("tokenizer.ggml.bos_token_id", uint32_t{2});
  metadata.Set("tokenizer.ggml.eos_token_id", uint32_t{3});
  metadata.Set("tokenizer.ggml.seperator_token_id", uint32_t{3});
  metadata.Set("tokenizer.ggml.unknown_token_id", uint32_t{1});
  metadata.Set("tokenizer.ggml.padding_token_id", uint32_t{0});
  return metadata;
}

}  // namespace isoveil
