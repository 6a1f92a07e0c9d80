#include "isoveil/tokenizer/vocabulary.h"

#include <gtest/gtest.h>

#include <random>

#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

Result<Vocabulary> Load(const GgufMetadata& metadata) { return Vocabulary::FromMetadata(metadata, "test.gguf"); }

template <typename Value>
GgufMetadata With(GgufMetadata metadata, const char* key, Value value) {
  metadata.Set(key, std::move(value));
  return metadata;
}

void ExpectRefused(const GgufMetadata& metadata, const char* mention) {
  const auto vocabulary = Load(metadata);
  ASSERT_FALSE(vocabulary) << mention;
  EXPECT_NE(vocabulary.error().where.find("test.gguf"), std::string::npos) << vocabulary.error().Message();
  EXPECT_NE(vocabulary.error().Message().find(mention), std::string::npos) << vocabulary.error().Message();
}

TEST(VocabularyCheck, ListsOfDifferentLengthsAreRefused) {
  for (const size_t n : {0, 1, 263, 265, 5000}) {
    ExpectRefused(With(SmallSentencePiece(), "tokenizer.ggml.scores", std::vector<float>(n)), "scores");
    ExpectRefused(With(SmallSentencePiece(), "tokenizer.ggml.token_type", std::vector<int32_t>(n, 1)), "token_type");
  }
  ExpectRefused(With(SmallSentencePiece(), "tokenizer.ggml.scores", 1.0F), "scores");
  ExpectRefused(With(SmallSentencePiece(), "tokenizer.ggml.token_type", uint32_t{1}), "token_type");
}

TEST(VocabularyCheck, TokensGivenTwiceAreRefused) {
  for (const char* text : {"<s>", "a", "<0x41>"}) {
    GgufMetadata metadata = SmallSentencePiece();
    auto tokens = *metadata.GetStrings("tokenizer.ggml.tokens");
    tokens.back() = text;
    metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
    ExpectRefused(metadata, "there already");
  }
  // To llama.cpp a text ends at a zero byte.
  const auto with_last = [](std::string text) {
    GgufMetadata metadata = SmallSentencePiece();
    auto tokens = *metadata.GetStrings("tokenizer.ggml.tokens");
    tokens.back() = std::move(text);
    return With(metadata, "tokenizer.ggml.tokens", std::move(tokens));
  };
  ExpectRefused(with_last(std::string("a\0", 2)), "token 263 is there already as token 260, which is 'a'");
  ExpectRefused(with_last(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_TRUE(Load(with_last(std::string("c\0", 2))));
  // llama.cpp gives empty tokens a name that another may have.
  GgufMetadata metadata = SmallByteLevel();
  auto tokens = *metadata.GetStrings("tokenizer.ggml.tokens");
  tokens[258] = "";
  tokens[259] = "[EMPTY_258]";
  metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
  ExpectRefused(metadata, "there already");
}

TEST(VocabularyCheck, TypesOutOfRangeAreRefused) {
  for (const int32_t type : {-1, 7, 1 << 30}) {
    GgufMetadata metadata = SmallSentencePiece();
    std::vector<int32_t> types(264, 1);
    types[100] = type;
    metadata.Set("tokenizer.ggml.token_type", std::move(types));
    ExpectRefused(metadata, "token 100");
  }
  GgufMetadata metadata = SmallByteLevel();
  std::vector<int32_t> types(261, 1);
  types[259] = 6;
  metadata.Set("tokenizer.ggml.token_type", std::move(types));
  ExpectRefused(metadata, "is a byte");
}

TEST(VocabularyCheck, ValuesOfAnotherTypeAreRefused) {
  ExpectRefused(With(SmallByteLevel(), "tokenizer.ggml.tokens", std::string("x")), "tokens");
  ExpectRefused(With(SmallByteLevel(), "tokenizer.ggml.tokens", std::vector<std::string>()), "tokens");
  ExpectRefused(With(SmallByteLevel(), "tokenizer.ggml.model", uint32_t{3}), "model");
  ExpectRefused(With(SmallByteLevel(), "tokenizer.ggml.model", std::string("none")), "no text");
  ExpectRefused(With(SmallByteLevel(), "tokenizer.ggml.model", std::string("klingon")), "no rule");
  ExpectRefused(With(SmallByteLevel(), "tokenizer.ggml.pre", std::string("whitespace")), "pre-tokenizer 'whitespace'");
  ExpectRefused(With(SmallByteLevel(), "tokenizer.ggml.pre", std::string("klingon")), "llama.cpp cannot load");
  ExpectRefused(With(SmallByteLevel(), "tokenizer.ggml.merges", std::string("h e")), "");
  const auto listed = With(SmallByteLevel(), kSpecialTokensKey, std::string("listed"));
  ExpectRefused(With(listed, "tokenizer.ggml.add_bos_token", true), "bos_token_id");
  EXPECT_FALSE(Load(GgufMetadata()));
}

// Uses a vocabulary in every way, if there is one. No answer is expected but that there is one.
void Exercise(const GgufMetadata& metadata) {
  const auto vocabulary = Load(metadata);
  if (!vocabulary) return;
  for (const char* text : {"", " ", "hello <s> \xc3\xa9\n\xf0\x9f\x99\x82 \xef\xac\x81"}) {
    const auto ids = vocabulary->Tokenize(text, {.add_special = true, .parse_special = true});
    EXPECT_TRUE(!ids || vocabulary->Detokenize(*ids, {.special = true}));
  }
}

// Values that some key does not expect.
std::vector<GgufValue> Surprises() {
  std::vector<uint8_t> charsmap = {40, 0, 0, 0};
  for (int i = 0; i < 60; ++i) charsmap.push_back(static_cast<uint8_t>(i * 37));
  return {uint32_t{0},
          uint32_t{4000000000U},
          int32_t{-5},
          true,
          2.5F,
          std::string(""),
          std::string("phi-3"),
          std::vector<std::string>{},
          std::vector<std::string>{"", "h e", "he", " "},
          std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g"},
          std::vector<int32_t>{1, -1},
          std::vector<int32_t>{1, 2, 3, 4, 5, 1, 1},
          std::vector<float>(264, std::nanf("")),
          std::vector<float>(7, std::nanf("")),
          std::vector<uint8_t>{1, 2, 3},
          std::vector<uint8_t>{255, 255, 255, 127, 1, 2, 3, 4},
          charsmap};
}

// A file from elsewhere must not be able to end the process.
TEST(VocabularyCheck, NoChangeOfOneValueEndsTheProcess) {
  for (GgufMetadata base : {SmallSentencePiece(), SmallByteLevel(), SmallWords("bert"), SmallWords("t5")}) {
    ASSERT_TRUE(Load(base)) << Load(base).error().Message();
    std::vector<std::string> keys = {"general.name",
                                     "tokenizer.ggml.precompiled_charsmap",
                                     "tokenizer.ggml.padding_token_id",
                                     "tokenizer.ggml.eot_token_id",
                                     "tokenizer.ggml.suppress_tokens",
                                     "tokenizer.ggml.remove_extra_whitespaces",
                                     "tokenizer.ggml.token_type_count",
                                     kEndsKey,
                                     kNormalizerKey,
                                     kSpacePrefixKey,
                                     kSpecialTokensKey,
                                     kMergesKey,
                                     kStripLeftKey};
    for (const auto& [key, value] : base) keys.push_back(key);
    for (const bool listed : {false, true}) {
      if (listed) base.Set(kSpecialTokensKey, std::string("listed"));
      for (const std::string& key : keys) {
        for (const GgufValue& value : Surprises()) Exercise(With(base, key.c_str(), value));
        GgufMetadata without = base;
        without.Remove(key);
        Exercise(without);
      }
    }
  }
}

TEST(VocabularyCheck, HiddenNamesThatAreTakenAreRefused) {
  GgufMetadata metadata = With(SmallByteLevel(), kSpecialTokensKey, std::string("listed"));
  auto tokens = *metadata.GetStrings("tokenizer.ggml.tokens");
  tokens[260] = " 256";
  metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
  ExpectRefused(metadata, "there already");
}

TEST(Vocabulary, RefusesTextThatIsNoUtf8) {
  const Vocabulary vocabulary = Load(SmallByteLevel()).value();
  for (const char* text : {"\xff", "\xed\xa0\x80", "secret \xc3"}) {
    const auto ids = vocabulary.Tokenize(text);
    ASSERT_FALSE(ids);
    EXPECT_EQ(ids.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(ids.error().Message().find("secret"), std::string::npos);
  }
  EXPECT_FALSE(vocabulary.Tokenize(std::string(Vocabulary::kMaxTextBytes + 1, 'a')));
}

TEST(Vocabulary, ControlTokensAreTextUnlessAskedFor) {
  for (const bool listed : {false, true}) {
    GgufMetadata metadata = SmallByteLevel();
    if (listed) metadata.Set(kSpecialTokensKey, std::string("listed"));
    const Vocabulary vocabulary = Load(metadata).value();
    EXPECT_EQ(vocabulary.Tokenize("a<|end|>b")->size(), 9u);
    EXPECT_EQ(*vocabulary.Tokenize("a<|end|>b", {.parse_special = true}), PlainIds({'a', 256, 'b'}));
    EXPECT_EQ(*vocabulary.Detokenize(PlainIds({'a', 256, 'b'})), "ab");
    EXPECT_EQ(*vocabulary.Detokenize(PlainIds({'a', 256, 'b'}), {.special = true}), "a<|end|>b");
  }
}

// "</s>" and "<|channel|>" have a meaning for llama.cpp, wherever they stand.
TEST(Vocabulary, ListedSpecialTokensAreTheOnlyOnes) {
  GgufMetadata metadata = SmallByteLevel();
  auto tokens = *metadata.GetStrings("tokenizer.ggml.tokens");
  auto merges = *metadata.GetStrings("tokenizer.ggml.merges");
  for (const char* token : {"</", "s>", "</s>", "<|channel|>", "<u>"}) tokens.emplace_back(token);
  for (const char* merge : {"< /", "s >", "</ s>"}) merges.emplace_back(merge);
  metadata.Set("tokenizer.ggml.tokens", tokens);
  metadata.Set("tokenizer.ggml.merges", merges);
  std::vector<int32_t> types(tokens.size(), 1);
  types[256] = types[264] = 3;
  types[265] = 4;
  metadata.Set("tokenizer.ggml.token_type", types);
  const Vocabulary guessed = Load(metadata).value();
  metadata.Set(kSpecialTokensKey, std::string("listed"));
  metadata.Set(kEndsKey, std::vector<int32_t>{256});
  const Vocabulary listed = Load(metadata).value();

  EXPECT_TRUE(guessed.IsEndOfGeneration(PlainId{263}));
  EXPECT_FALSE(listed.IsEndOfGeneration(PlainId{263}));
  EXPECT_EQ(listed.special_ids().end_of_generation, PlainIds({256}));
  EXPECT_EQ(*guessed.Piece(PlainId{263}), "");
  EXPECT_EQ(*listed.Piece(PlainId{263}), "</s>");
  EXPECT_EQ(*listed.Kind(PlainId{263}), TokenKind::kNormal);
  // GPT-2's expression splits it; as a special token it would be whole.
  EXPECT_EQ(*guessed.Tokenize("</s>", {.parse_special = true}), PlainIds({263}));
  EXPECT_EQ(*listed.Tokenize("</s>", {.parse_special = true}), PlainIds({261, 's', '>'}));
  // A user must not be able to write a control token.
  EXPECT_EQ(guessed.Tokenize("<|channel|>")->size(), 1u);
  EXPECT_EQ(listed.Tokenize("<|channel|>")->size(), 11u);
  EXPECT_EQ(*listed.Tokenize("<|channel|>", {.parse_special = true}), PlainIds({264}));
  EXPECT_EQ(*listed.Piece(PlainId{264}), "");
  EXPECT_EQ(*listed.Piece(PlainId{264}, true), "<|channel|>");
  EXPECT_EQ(*listed.Tokenize("<u>"), PlainIds({265}));
  EXPECT_EQ(*listed.Piece(PlainId{265}), "<u>");
}

TEST(Vocabulary, AppliesItsOwnRules) {
  GgufMetadata metadata = With(SmallByteLevel(), kSpecialTokensKey, std::string("listed"));
  metadata.Set(kNormalizerKey, std::string("nfc"));
  const Vocabulary nfc = Load(metadata).value();
  EXPECT_EQ(*nfc.Tokenize("e\xcc\x81"), PlainIds({0xc3, 0xa9}));
  ExpectRefused(With(metadata, kNormalizerKey, std::string("nfkc")), "nfkc");
  GgufMetadata first = With(SmallSentencePiece(), kSpecialTokensKey, std::string("listed"));
  first.Set("tokenizer.ggml.add_space_prefix", false);
  first.Set(kSpacePrefixKey, std::string("first"));
  const Vocabulary vocabulary = Load(first).value();
  const int32_t a = kFirstWord + 1, space_a = kFirstWord + 3;
  EXPECT_EQ(*vocabulary.Tokenize("a</s>a", {.add_special = true, .parse_special = true}), PlainIds({1, space_a, 2, a}));
  EXPECT_EQ(*vocabulary.Tokenize(" a"), PlainIds({space_a}));
  EXPECT_TRUE(vocabulary.adds_space_prefix());
  EXPECT_EQ(*vocabulary.Detokenize(PlainIds({1, space_a, 2, a})), "aa");
}

// std::regex recurses once for every character of a match.
TEST(Vocabulary, LongRunsOfOneCharacter) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "llama.cpp's regular expressions recurse deeper than ThreadSanitizer can follow (65536 calls)";
#endif
  const std::string texts[] = {std::string(100000, 'a'), std::string(100000, ' '), std::string(100000, '\n'),
                               std::string(100000, '7'), std::string(100000, '!')};
  for (const char* name : {"llama-bpe", "qwen2", "gpt-2", "deepseek-llm", "llama-spm", "starcoder"}) {
    const auto path = Path(ISOVEIL_LLAMA_PREFIX) / fmt::format("models/ggml-vocab-{}.gguf", name);
    const Vocabulary vocabulary = Vocabulary::Load(path).value();
    for (const std::string& text : texts) {
      const auto ids = vocabulary.Tokenize(text);
      ASSERT_TRUE(ids) << name;
      EXPECT_EQ(*vocabulary.Detokenize(*ids), text) << name;
    }
  }
}

}  // namespace
}  // namespace isoveil
