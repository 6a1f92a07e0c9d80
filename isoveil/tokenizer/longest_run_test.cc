#include "isoveil/tokenizer/longest_run.h"

#include <gtest/gtest.h>

#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

std::string Repeated(std::string_view part, size_t n) {
  std::string text;
  while (n-- > 0) text += part;
  return text;
}

GgufMetadata WithPreTokenizer(const std::string& name) {
  GgufMetadata metadata = SmallByteLevel();
  metadata.Set("tokenizer.ggml.pre", name);
  return metadata;
}

TEST(LongestRun, CountsCharactersOfOneClass) {
  const auto run = [](std::string_view text) { return LongestRun(text, RunKind::kClasses); };
  EXPECT_EQ(run(""), 0U);
  EXPECT_EQ(run("abc defg 12"), 4U);
  EXPECT_EQ(run("a1b2!?3  \n\r\t4"), 5U);
  EXPECT_EQ(run("äöü一二 a"), 5U);    // five characters of two and three bytes
  EXPECT_EQ(run("一1二!三a四"), 3U);  // each may go with what is beside it
  EXPECT_EQ(run("a\u3000\u00a0 b"), 3U);
  EXPECT_EQ(run("!/\n/\n/\n"), 6U);
}

TEST(LongestRun, CountsWhatOtherExpressionsMatch) {
  EXPECT_EQ(LongestRun("a1!b2? c", RunKindOf("viking")), 6U);
  EXPECT_EQ(LongestRun("a/ /b", RunKindOf("whitespace")), 2U);
  EXPECT_EQ(LongestRun("one two, three", RunKindOf("exaone-moe")), 7U);
  EXPECT_EQ(LongestRun("one two, three", RunKindOf("deepseek-v3")), 5U);
}

// Refused by name, before llama.cpp takes hundreds of bytes of stack for every character.
TEST(LongestRun, LongRunsAreRefused) {
  const Vocabulary vocabulary = Vocabulary::FromMetadata(WithPreTokenizer("deepseek-v3"), "test.gguf").value();
  for (const auto& [part, characters] : {std::pair("a", 1), {"!", 1}, {" ", 1}, {"é", 1}, {"/\n", 2}}) {
    const auto ids = vocabulary.Tokenize(Repeated(part, (size_t{8} << 20) / static_cast<size_t>(characters)));
    ASSERT_FALSE(ids) << part;
    EXPECT_EQ(ids.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(ids.error().Message(),
              "text: expected at most 262144 letters, digits, signs or spaces side by side, found 8388608")
        << part;
  }
}

TEST(SlowRuns, AreSquared) {
  const SlowRuns digits = SlowRunsOf("superbpe").value();
  EXPECT_EQ(SquaresOfRuns("", digits), 0U);
  EXPECT_EQ(SquaresOfRuns("123a1 22", digits), 9U + 1U + 4U);
  const SlowRuns spaces = SlowRunsOf("jais-2").value();
  EXPECT_EQ(SquaresOfRuns("a \u3000\n\u00a0b \té", spaces), 16U + 4U);
  EXPECT_FALSE(SlowRunsOf("llama-bpe"));
}

// 23 s for 16,384 digits; also where special tokens or other characters part them.
TEST(SlowRuns, AreRefusedByName) {
  const Vocabulary digits = Vocabulary::FromMetadata(WithPreTokenizer("superbpe"), "test.gguf").value();
  const Vocabulary spaces = Vocabulary::FromMetadata(WithPreTokenizer("jais-2"), "test.gguf").value();
  const TokenizeOptions parsed{.parse_special = true};
  for (const auto& ids :
       {digits.Tokenize(Repeated("1", 16'384)), digits.Tokenize(Repeated(Repeated("7", 2000) + "<|end|>", 8), parsed),
        digits.Tokenize(Repeated("1234567890 ", 300'000)), spaces.Tokenize(Repeated(" ", 130'000)),
        spaces.Tokenize(Repeated("\u3000", 130'000))}) {
    ASSERT_FALSE(ids);
    EXPECT_EQ(ids.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(ids.error().problem.find("pre-tokenizer"), std::string::npos) << ids.error().Message();
  }
  for (const auto& [vocabulary, text] : {std::pair(&digits, Repeated("1234567890 ", 1000) + Repeated("1", 999)),
                                         {&spaces, Repeated("a" + Repeated(" ", 600), 100)}}) {
    const auto ids = vocabulary->Tokenize(text);
    ASSERT_TRUE(ids) << ids.error().Message();
    EXPECT_EQ(vocabulary->Detokenize(*ids).value(), text);
  }
}

// Every kind of expression at the bound, where it takes the most stack, and texts that are long but for their runs.
TEST(LongestRun, TheLongestRunsHaveRoom) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "llama.cpp's regular expressions recurse deeper than ThreadSanitizer can follow (65536 calls)";
#endif
  const size_t most = Vocabulary::kMostOfOneKind;
  for (const char* name : {"deepseek-v3", "deepseek-llm", "tekken", "gpt-4o", "poro-chat", "exaone-moe"}) {
    const Vocabulary vocabulary = Vocabulary::FromMetadata(WithPreTokenizer(name), "test.gguf").value();
    for (const std::string& text :
         {Repeated("!", most - 1) + Repeated("/\n", most / 2), Repeated("a", most), Repeated("A b", most / 3)}) {
      const auto ids = vocabulary.Tokenize(text);
      ASSERT_TRUE(ids) << name << ": " << ids.error().Message();
      EXPECT_EQ(vocabulary.Detokenize(*ids).value(), text) << name;
    }
  }
}

}  // namespace
}  // namespace isoveil
