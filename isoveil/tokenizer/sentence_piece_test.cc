#include "isoveil/tokenizer/sentence_piece.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>

#include "isoveil/tokenizer/llama_runtime.h"
#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

using ModelPtr = std::unique_ptr<llama_model, decltype(&llama_model_free)>;

ModelPtr LoadLlama(const Path& path) {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  return {llama_model_load_from_file(path.c_str(), params), &llama_model_free};
}

std::vector<PlainId> LlamaIds(const llama_vocab* vocab, const std::string& text, TokenizeOptions options) {
  std::vector<llama_token> ids(text.size() * 4 + 16);
  const int n = llama_tokenize(vocab, text.data(), static_cast<int>(text.size()), ids.data(),
                               static_cast<int>(ids.size()), options.add_special, options.parse_special);
  ids.resize(static_cast<size_t>(std::max(n, 0)));
  std::vector<PlainId> plain;
  for (const llama_token id : ids) plain.push_back(PlainId{id});
  return plain;
}

// Texts of what tokenizers stumble over: spaces, special tokens, marks, characters without a token.
std::vector<std::string> Texts(const llama_vocab* vocab) {
  std::vector<std::string> parts = {" ",   "  ",     "\n",           "\n\n",   "\t",     "a",          "the",  " the",
                                    "ing", "\u2581", "\u2581\u2581", "\u0e01", "\u00e9", "\U0001f600", "1234", "...",
                                    "<",   ">",      "</s",          "0x0A",   "<0x0A>"};
  for (llama_token id = 0; id < llama_vocab_n_tokens(vocab); ++id) {
    const auto attr = static_cast<unsigned>(llama_vocab_get_attr(vocab, id));
    if ((attr & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0 ||
        id % 997 == 0)
      parts.emplace_back(llama_vocab_get_text(vocab, id));
  }
  std::mt19937 random(20261126);
  std::vector<std::string> texts = {"", " ", "\n"};
  for (int i = 0; i < 1500; ++i) {
    std::string text;
    for (unsigned n = random() % 16; n > 0; --n) text += parts[random() % parts.size()];
    texts.push_back(text);
  }
  return texts;
}

TEST(SentencePiece, GivesTheIdsOfLlamaCpp) {
  StartLlama();
  int compared = 0;
  for (const Path& path : LlamaVocabularies()) {
    const ModelPtr model = LoadLlama(path);
    ASSERT_NE(model, nullptr) << path;
    const llama_vocab* vocab = llama_model_get_vocab(model.get());
    if (llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_SPM) continue;
    ++compared;
    const SentencePiece tokenizer(vocab, std::make_shared<SpecialPartition>(SpecialTokensOf(vocab)));
    const auto file = GgufFile::Open(path).value();
    const bool prefix = file.metadata().GetBool("tokenizer.ggml.add_space_prefix").value_or(true);
    for (const std::string& text : Texts(vocab)) {
      for (const TokenizeOptions options :
           {TokenizeOptions{}, TokenizeOptions{.parse_special = true}, TokenizeOptions{.add_special = true}}) {
        ASSERT_EQ(tokenizer.Tokenize(text, options, prefix).value(), LlamaIds(vocab, text, options))
            << path << ": " << text;
      }
    }
  }
  EXPECT_GE(compared, 2);
}

// llama.cpp's own takes five seconds for 200,000 new lines, and minutes for these.
TEST(SentencePiece, LongRunsTakeNoQuadraticTime) {
  const Vocabulary vocabulary = Vocabulary::FromMetadata(SmallSentencePiece(), "test.gguf").value();
  for (const char* part : {"\n", "\u0e01", "a", " ", "ab"}) {
    std::string text;
    while (text.size() < 2'000'000) text += part;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(vocabulary.Tokenize(text));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 20) << part;
  }
}

}  // namespace
}  // namespace isoveil
