#include "isoveil/gateway/generator.h"

#include <gtest/gtest.h>

#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/gateway/small_service_for_test.h"

namespace isoveil {
namespace {

std::vector<PlainId> Ids(std::string_view text) {
  std::vector<PlainId> ids;
  for (const char byte : text) ids.push_back(ScriptedUpstream::IdOf(byte));
  return ids;
}

struct Generated {
  std::vector<std::string> pieces;
  std::string text;
  Result<Outcome> outcome;
};

Generated RunAll(SmallService& small, const Generation& generation, size_t leaves_after = SIZE_MAX) {
  Generated run{{}, {}, Fail(ErrorCode::kCancelled, "", "")};
  run.outcome = Generator(small.client, small.upstream).Run(generation, [&](const Piece& piece) {
    run.pieces.push_back(piece.text);
    run.text += piece.text;
    return run.pieces.size() < leaves_after;
  });
  return run;
}

bool IsWhole(std::string_view text) {
  return text.empty() || (static_cast<unsigned char>(text.front()) & 0xc0) != 0x80;
}

TEST(GeneratorTest, NoPieceSplitsACharacter) {
  for (const std::string& text :
       std::vector<std::string>{"plain", "Grüße aus Zürich", "日本語のテキスト", "a👩‍👩‍👧‍👦b🇨🇭",
                                "नमस्ते", "\xf0\x9f\x98\x80"}) {
    SmallService small;
    small.upstream.answers = {text};
    const Generated run = RunAll(small, {.prompt = Ids("?"), .sampling = {.max_tokens = 200}, .stops = {}});
    ASSERT_TRUE(run.outcome) << run.outcome.error().Message();
    EXPECT_EQ(run.text, text);
    for (const std::string& piece : run.pieces) EXPECT_TRUE(IsWhole(piece)) << text;
    EXPECT_EQ(run.outcome->finish, FinishReason::kStop);
    EXPECT_EQ(run.outcome->usage.completion_tokens, text.size() + 1);
  }
}

TEST(GeneratorTest, AnAnswerThatEndsWithinACharacterShowsThatSomethingIsMissing) {
  SmallService small;
  small.upstream.answers = {"ab\xf0\x9f\x98\x80"};
  const Generated run = RunAll(small, {.prompt = Ids("?"), .sampling = {.max_tokens = 4}, .stops = {}});
  ASSERT_TRUE(run.outcome);
  EXPECT_EQ(run.text, "ab\xef\xbf\xbd");
  EXPECT_EQ(run.outcome->finish, FinishReason::kLength);
}

TEST(GeneratorTest, OnlyEncryptedIdsAreSent) {
  SmallService small;
  const Generation generation{.prompt = Ids("secret"),
                              .sampling = {.max_tokens = 4},
                              .logit_bias = {{PlainId{104}, 2.0F}},
                              .stop_ids = {PlainId{33}},
                              .stops = {"\n"}};
  ASSERT_TRUE(RunAll(small, generation).outcome);
  const GenerateRequest& sent = small.upstream.requests.at(0);
  EXPECT_EQ(small.client.cipher.Decrypt(sent.prompt).value(), Ids("secret"));
  std::vector<WireId> in_clear;
  for (const PlainId id : Ids("secret")) in_clear.push_back(WireId{Value(id)});
  EXPECT_NE(sent.prompt, in_clear);
  EXPECT_EQ(sent.logit_bias.at(0).first, small.client.cipher.Encrypt(PlainId{104}).value());
  // The end of the vocabulary is an end here, too: the server cannot know it.
  EXPECT_EQ(sent.stop_ids, small.client.cipher.Encrypt(std::vector{PlainId{33}, kSmallEnd}).value());
}

TEST(GeneratorTest, NothingOfAStopStringIsGivenOut) {
  SmallService small;
  small.upstream.answers = {"one\ntwo STOP three"};
  const Generated run = RunAll(small, {.prompt = Ids("?"), .sampling = {.max_tokens = 200}, .stops = {" STOP"}});
  ASSERT_TRUE(run.outcome);
  EXPECT_EQ(run.text, "one\ntwo");
  EXPECT_EQ(run.outcome->finish, FinishReason::kStop);
  // The server was told to end with the token that completed it.
  EXPECT_EQ(run.outcome->usage.completion_tokens, std::string("one\ntwo STOP").size());
}

TEST(GeneratorTest, AReaderThatLeavesEndsTheGeneration) {
  SmallService small;
  small.upstream.answers = {std::string(100, 'x')};
  const Generated run = RunAll(small, {.prompt = Ids("?"), .sampling = {.max_tokens = 200}, .stops = {}}, 3);
  ASSERT_TRUE(run.outcome);
  EXPECT_EQ(run.outcome->finish, FinishReason::kCancelled);
  EXPECT_EQ(run.pieces.size(), 3U);
}

TEST(GeneratorTest, IdsOutsideTheVocabularyFailOnEitherSide) {
  SmallService small;
  EXPECT_EQ(RunAll(small, {.prompt = PlainIds({261}), .sampling = {}, .stops = {}}).outcome.error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_TRUE(small.upstream.requests.empty());
  const Generated biased =
      RunAll(small, {.prompt = Ids("?"), .sampling = {}, .logit_bias = {{PlainId{-1}, 1.0F}}, .stops = {}});
  EXPECT_EQ(biased.outcome.error().where, "logit_bias");
  EXPECT_TRUE(small.upstream.requests.empty());
  small.upstream.lie = WireId{261};
  const Generated lied = RunAll(small, {.prompt = Ids("?"), .sampling = {.max_tokens = 4}, .stops = {}});
  ASSERT_FALSE(lied.outcome);
  EXPECT_EQ(lied.text, "");
}

TEST(GeneratorTest, AServerThatFailsInMidAnswerIsAnErrorAfterTheText) {
  SmallService small;
  small.upstream.failure = Error{ErrorCode::kUnavailable, "upstream", "the stream broke", ""};
  small.upstream.failure_after = 2;
  const Generated run = RunAll(small, {.prompt = Ids("?"), .sampling = {.max_tokens = 40}, .stops = {}});
  ASSERT_FALSE(run.outcome);
  EXPECT_EQ(run.outcome.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(run.text, "He");
}

TEST(GeneratorTest, LogprobsAreThoseOfThePlainTokens) {
  SmallService small;
  small.upstream.answers = {"A"};
  std::vector<PlainToken> tokens;
  const Generation generation{.prompt = Ids("?"), .sampling = {.max_tokens = 4, .n_probs = 3}, .stops = {}};
  ASSERT_TRUE(Generator(small.client, small.upstream).Run(generation, [&](const Piece& piece) {
    tokens.insert(tokens.end(), piece.tokens.begin(), piece.tokens.end());
    return true;
  }));
  ASSERT_EQ(tokens.size(), 2U);
  EXPECT_EQ(tokens[0].id, PlainId{'A'});
  EXPECT_EQ(tokens[0].wire, small.client.cipher.Encrypt(PlainId{'A'}).value());
  EXPECT_EQ(tokens[0].logprob, -0.25F);
  ASSERT_EQ(tokens[0].top.size(), 3U);
  EXPECT_EQ(tokens[0].top[2].id, PlainId{'C'});
  EXPECT_EQ(tokens[1].id, kSmallEnd);
}

}  // namespace
}  // namespace isoveil
