#include "isoveil/gateway/options.h"

#include <gtest/gtest.h>

#include <cmath>

namespace isoveil {
namespace {

Result<GenerationOptions> Read(const Json& body, ApiKind kind = ApiKind::kChat) {
  return ReadOptions(body, kind, {});
}

TEST(Options, NamesTheMemberThatIsWrongAndQuotesNothing) {
  const std::string secret = "hush";
  const std::pair<const char*, Json> wrong[] = {{"temperature", secret},
                                                {"temperature", 2.5},
                                                {"temperature", -1},
                                                {"top_p", 0},
                                                {"top_p", 1.1},
                                                {"seed", 1.5},
                                                {"n", 0},
                                                {"n", 1000},
                                                {"max_tokens", 0},
                                                {"max_tokens", secret},
                                                {"stream", "yes"},
                                                {"stop", 5},
                                                {"stop", {secret, 1}},
                                                {"logit_bias", {{secret, 1}}},
                                                {"logit_bias", {{"5", 101}}},
                                                {"top_k", 1e30},
                                                {"presence_penalty", 3},
                                                {"logprobs", 1},
                                                {"top_logprobs", 21}};
  for (const auto& [name, value] : wrong) {
    const auto options = Read({{name, value}});
    ASSERT_FALSE(options) << name << value;
    EXPECT_EQ(options.error().where, name);
    EXPECT_EQ(options.error().Message().find(secret), std::string::npos);
    EXPECT_TRUE(Read({{name, nullptr}})) << name;
  }
}

TEST(Options, RefusesByNameWhatNeedsTextOnTheServer) {
  for (const char* name :
       {"grammar", "guided_json", "guided_regex", "suffix", "audio", "functions", "web_search_options"}) {
    const auto options = Read({{name, "something"}});
    ASSERT_FALSE(options) << name;
    EXPECT_EQ(options.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(options.error().where, name);
  }
  EXPECT_TRUE(Read({{"user", "me"}, {"metadata", {{"a", "b"}}}, {"store", true}, {"never heard of", 1}}));
  EXPECT_TRUE(Read({{"modalities", {"text"}}, {"suffix", ""}, {"best_of", 1}}));
}

TEST(Options, BothNamesOfTheLengthMustAgree) {
  EXPECT_EQ(Read({{"max_tokens", 7}})->sampling.max_tokens, 7);
  EXPECT_EQ(Read({{"max_completion_tokens", 8}})->sampling.max_tokens, 8);
  EXPECT_TRUE(Read({{"max_tokens", 7}, {"max_completion_tokens", 7}}));
  EXPECT_FALSE(Read({{"max_tokens", 7}, {"max_completion_tokens", 8}}));
  EXPECT_FALSE(Read(Json::object())->has_max_tokens);
}

TEST(Options, BansWithMinusHundred) {
  const auto options = Read({{"logit_bias", {{"5", -100}, {"6", 2.5}}}});
  ASSERT_TRUE(options);
  ASSERT_EQ(options->sampling.logit_bias.size(), 2U);
  EXPECT_TRUE(std::isinf(options->sampling.logit_bias[0].second));
  EXPECT_EQ(options->sampling.logit_bias[1], (std::pair<int32_t, float>(6, 2.5F)));
}

TEST(Options, LogprobsAreAFlagOrANumber) {
  EXPECT_EQ(Read({{"logprobs", true}, {"top_logprobs", 3}})->sampling.n_probs, 3);
  EXPECT_EQ(Read({{"logprobs", true}})->sampling.n_probs, 1);
  EXPECT_FALSE(Read({{"top_logprobs", 3}}));
  EXPECT_EQ(Read({{"logprobs", 2}}, ApiKind::kCompletion)->sampling.n_probs, 2);
}

}  // namespace
}  // namespace isoveil
