#include "isoveil/reference/llama_evaluator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "isoveil/base/temp_folder_for_test.h"
#include "isoveil/reference/tiny_model_for_test.h"

namespace isoveil {
namespace {

const std::vector<int32_t> kIds = {1, 2, 3, 299, 150, 42, 17, 17};

class LlamaEvaluatorTest : public TempFolderTest {
 protected:
  LlamaEvaluatorTest() : model_(WriteTinyModel(folder())) {}

  LlamaEvaluator Load(LlamaOptions options = {}) {
    options.n_threads = 1;
    return *LlamaEvaluator::Load(*model_, options);
  }

  Result<Path> model_;
};

float LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST_F(LlamaEvaluatorTest, GivesARowForEveryPosition) {
  LlamaEvaluator model = Load();
  EXPECT_EQ(model.n_vocab(), 300);
  EXPECT_EQ(model.n_context(), 512);
  const std::vector<float> logits = *model.Logits(kIds);
  ASSERT_EQ(logits.size(), kIds.size() * 300);
  // A row depends on the ids up to its position and on nothing after it.
  const std::vector<float> prefix = *model.Logits(std::span(kIds).first(3));
  EXPECT_LT(LargestDifference(prefix, {logits.begin(), logits.begin() + 900}), 1e-4F);
  EXPECT_GT(LargestDifference({logits.begin(), logits.begin() + 300}, {logits.end() - 300, logits.end()}), 0.1F);
}

TEST_F(LlamaEvaluatorTest, CallsStandAlone) {
  LlamaEvaluator model = Load();
  const std::vector<float> first = *model.Logits(kIds);
  ASSERT_TRUE(model.Greedy(std::vector<int32_t>{5, 6}, 10));
  EXPECT_EQ(*model.Logits(kIds), first);  // bit by bit
  EXPECT_EQ(*Load().Logits(kIds), first);
}

TEST_F(LlamaEvaluatorTest, OptionsChangeTheRoundingAndNothingElse) {
  const std::vector<float> batch = *Load().Logits(kIds);
  const std::vector<float> single = *Load({.token_by_token = true}).Logits(kIds);
  const std::vector<float> flash = *Load({.flash_attention = true}).Logits(kIds);
  const std::vector<float> f16 = *Load({.f16_cache = true}).Logits(kIds);
  EXPECT_LT(LargestDifference(batch, single), 1e-4F);
  EXPECT_LT(LargestDifference(batch, flash), 0.01F);
  EXPECT_LT(LargestDifference(batch, f16), 0.05F);
  EXPECT_GT(LargestDifference(batch, f16), LargestDifference(batch, single));
}

TEST_F(LlamaEvaluatorTest, GreedyTakesTheLargestLogit) {
  LlamaEvaluator model = Load();
  std::vector<int32_t> ids = {9, 8};
  const std::vector<int32_t> greedy = *model.Greedy(ids, 12);
  ASSERT_EQ(greedy.size(), 12U);
  for (const int32_t next : greedy) {
    const std::vector<float> logits = *model.Logits(ids);
    const auto row = logits.end() - 300;
    EXPECT_EQ(next, std::max_element(row, logits.end()) - row);
    ids.push_back(next);
  }
}

TEST_F(LlamaEvaluatorTest, TheContextOfTheModelIsTakenWhenNoneIsGiven) {
  EXPECT_EQ(Load({.n_context = 0}).n_context(), 256);
}

TEST_F(LlamaEvaluatorTest, RefusesWhatDoesNotFit) {
  LlamaEvaluator model = Load({.n_context = 256});
  EXPECT_EQ(model.Logits({}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(model.Logits(std::vector<int32_t>{300}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(model.Logits(std::vector<int32_t>{-1}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(model.Logits(std::vector<int32_t>(257, 1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(model.Logits(std::vector<int32_t>(256, 1)));
  EXPECT_EQ(model.Greedy(kIds, 249).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(model.Greedy(kIds, 248)->size(), 248U);
}

TEST_F(LlamaEvaluatorTest, TellsWhyAFileIsRefused) {
  EXPECT_EQ(LlamaEvaluator::Load(folder() / "none").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(WriteNewFile(folder() / "bad", "GGUF but no more"));
  const auto bad = LlamaEvaluator::Load(folder() / "bad");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kFormat);
  EXPECT_NE(bad.error().where.find("bad"), std::string::npos);
}

}  // namespace
}  // namespace isoveil
