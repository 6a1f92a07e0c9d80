#include "isoveil/gateway/options.h"

#include <gtest/gtest.h>

#include <cmath>

#include "isoveil/base/token_ids_for_test.h"

namespace isoveil {
namespace {

Result<GenerationOptions> Read(const Json& body, ApiKind kind = ApiKind::kChat) { return ReadOptions(body, kind, {}); }

TEST(Options, NamesTheMemberThatIsWrongAndQuotesNothing) {
  const std::string secret = "hush";
  const std::pair<const char*, Json> wrong[] = {{"temperature", secret},
                                                {"temperature", 2.5},
                                                {"temperature", -1},
                                                {"top_p", -0.1},
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

// Each changes the answer of some server, and none of them can be honoured here.
TEST(Options, IgnoresNothingThatAKnownServerWouldHonour) {
  const std::pair<const char*, Json> members[] = {
      {"structured_outputs", {{"json", Json::object({{"type", "object"}})}}},
      {"regex", "a+"},
      {"ebnf", "root ::= a"},
      {"min_tokens", 5},
      {"typical_p", 0.9},
      {"xtc_probability", 0.5},
      {"samplers", {"top_k"}},
      {"top_n_sigma", 1.5},
      {"dynatemp_range", 0.5},
      {"dry_multiplier", 0.8},
      {"mirostat", 2},
      {"repeat_last_n", 0},
      {"n_indent", 4},
      {"use_beam_search", true},
      {"length_penalty", 0.5},
      {"allowed_token_ids", {1}},
      {"bad_words", {"a"}},
      {"truncate_prompt_tokens", 5},
      {"thinking_budget_tokens", 100},
      {"chat_template", "x"},
      {"documents", {"a"}},
      {"include_stop_str_in_output", true},
      {"return_token_ids", true},
      {"skip_special_tokens", false},
      {"include_reasoning", false},
      {"lora", {{{"id", 0}}}},
      {"t_max_predict_ms", 50},
      {"n_probs", 3},
      {"best_of", 2},
      {"prompt_logprobs", 1},
      {"echo", true},
      {"n_cmpl", 2},
      {"functions", {{{"name", "f"}}}}};
  for (const auto& [name, value] : members) {
    const auto options = Read({{name, value}});
    ASSERT_FALSE(options) << name;
    EXPECT_EQ(options.error().code, ErrorCode::kUnsupported) << name;
    EXPECT_EQ(options.error().where, name);
  }
  EXPECT_FALSE(Read({{"top_logprobs", 2}}, ApiKind::kResponse));
  EXPECT_TRUE(Read({{"echo", true}}, ApiKind::kCompletion));
}

TEST(Options, AcceptsWhatAsksForNothing) {
  EXPECT_TRUE(Read({{"structured_outputs", nullptr},
                    {"functions", Json::array()},
                    {"function_call", "none"},
                    {"lora", Json::array()},
                    {"typical_p", 1},
                    {"typical_p", 1.0},
                    {"xtc_probability", 0},
                    {"xtc_threshold", 0.1},
                    {"dynatemp_range", 0.0},
                    {"min_tokens", 0},
                    {"skip_special_tokens", true},
                    {"t_max_predict_ms", -1},
                    {"use_beam_search", false},
                    {"length_penalty", 1.0},
                    {"repeat_last_n", 64},
                    {"cache_prompt", true},
                    {"timings_per_token", true},
                    {"priority", 1},
                    {"documents", Json::array()},
                    {"thinking_budget_tokens", -1},
                    {"top_n_sigma", -1.0}}));
}

TEST(Options, HonoursWhatCanBe) {
  EXPECT_EQ(Read({{"stop_token_ids", {3, 5}}})->stop_ids, PlainIds({3, 5}));
  EXPECT_FALSE(Read({{"stop_token_ids", {-1}}}));
  EXPECT_FALSE(Read({{"stop_token_ids", {"a"}}}));
  EXPECT_EQ(Read({{"n_predict", 7}})->sampling.max_tokens, 7);
  EXPECT_FALSE(Read({{"n_predict", -1}})->has_max_tokens);
  EXPECT_LT(Read({{"top_p", 0}})->sampling.top_p, 1e-5);
  EXPECT_GT(Read({{"top_p", 0}})->sampling.top_p, 0);
  EXPECT_EQ(Read({{"seed", 42.0}})->sampling.seed, 42U);
  EXPECT_EQ(Read({{"top_k", 40.0}})->sampling.top_k, 40);
  EXPECT_EQ(Read({{"max_tokens", 1'000'000'000}})->sampling.max_tokens, RequestLimits().max_tokens);
  EXPECT_EQ(Read({{"max_tokens", 1e9}})->sampling.max_tokens, RequestLimits().max_tokens);
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
  ASSERT_EQ(options->logit_bias.size(), 2U);
  EXPECT_TRUE(std::isinf(options->logit_bias[0].second));
  EXPECT_EQ(options->logit_bias[1], (std::pair(PlainId{6}, 2.5F)));
}

TEST(Options, LogprobsAreAFlagOrANumber) {
  EXPECT_EQ(Read({{"logprobs", true}, {"top_logprobs", 3}})->sampling.n_probs, 3);
  EXPECT_EQ(Read({{"logprobs", true}})->sampling.n_probs, 1);
  EXPECT_FALSE(Read({{"top_logprobs", 3}}));
  EXPECT_EQ(Read({{"logprobs", 2}}, ApiKind::kCompletion)->sampling.n_probs, 2);
  const Json include = {"reasoning.encrypted_content", "message.output_text.logprobs"};
  const auto included = Read({{"include", include}, {"top_logprobs", 3}}, ApiKind::kResponse);
  EXPECT_TRUE(included->logprobs);
  EXPECT_EQ(included->sampling.n_probs, 3);
  EXPECT_EQ(Read({{"include", include}}, ApiKind::kResponse)->sampling.n_probs, 1);
  EXPECT_FALSE(Read({{"include", {"reasoning.encrypted_content"}}}, ApiKind::kResponse)->logprobs);
  EXPECT_EQ(Read({{"include", 5}}, ApiKind::kResponse).error().where, "include");
  EXPECT_EQ(Read({{"top_logprobs", 3}}, ApiKind::kResponse).error().where, "top_logprobs");
}

}  // namespace
}  // namespace isoveil
