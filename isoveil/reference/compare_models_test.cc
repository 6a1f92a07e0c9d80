#include "isoveil/reference/compare_models.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace isoveil {
namespace {

constexpr int64_t kVocabulary = 4;

// The logits after a text depend on its last id alone.
class TableModel : public Evaluator {
 public:
  using Row = std::function<float(int32_t last, int32_t next)>;
  explicit TableModel(Row row, int64_t n_vocab = kVocabulary) : row_(std::move(row)), n_vocab_(n_vocab) {}

  int64_t n_vocab() const override { return n_vocab_; }
  Result<std::vector<float>> Logits(std::span<const int32_t> ids) override {
    std::vector<float> logits;
    for (const int32_t last : ids) {
      for (int32_t next = 0; next < n_vocab_; ++next) logits.push_back(row_(last, next));
    }
    return logits;
  }
  Result<std::vector<int32_t>> Greedy(std::span<const int32_t> prompt, int32_t n) override {
    std::vector<int32_t> ids(prompt.begin(), prompt.end());
    for (int32_t i = 0; i < n; ++i) {
      int32_t best = 0;
      for (int32_t next = 1; next < n_vocab_; ++next) {
        if (row_(ids.back(), next) > row_(ids.back(), best)) best = next;
      }
      ids.push_back(best);
    }
    return std::vector<int32_t>(ids.begin() + static_cast<ptrdiff_t>(prompt.size()), ids.end());
  }

 private:
  Row row_;
  int64_t n_vocab_;
};

float Successor(int32_t last, int32_t next) {
  return next == (last + 1) % kVocabulary ? 3.0F : static_cast<float>(next);
}

const std::vector<std::vector<int32_t>> kTexts = {{0, 1}, {2}};

TEST(CompareModels, AModelDoesNotDifferFromItself) {
  TableModel a(Successor), b(Successor);
  const Comparison c = *CompareLogits(a, b, kTexts);
  EXPECT_EQ(c.positions, 3U);
  EXPECT_EQ(c.max_abs_logit_diff, 0);
  EXPECT_EQ(c.rms_logit_diff, 0);
  EXPECT_EQ(c.mean_kl, 0);
  EXPECT_EQ(c.top1_agreement, 1);
  EXPECT_EQ(c.logit_range, 3);
  const Continuations g = *CompareGreedy(a, b, kTexts, 5);
  EXPECT_TRUE(g.identical);
  EXPECT_EQ(g.tokens, 10U);
}

TEST(CompareModels, OneLogitThatDiffersIsMeasured) {
  TableModel a(Successor);
  TableModel b(
      [](int32_t last, int32_t next) { return Successor(last, next) + (last == 1 && next == 0 ? 0.5F : 0.0F); });
  const Comparison c = *CompareLogits(a, b, kTexts);
  EXPECT_EQ(c.max_abs_logit_diff, 0.5);
  EXPECT_NEAR(c.rms_logit_diff, std::sqrt(0.25 / 12), 1e-12);
  EXPECT_GT(c.mean_kl, 0);
}

TEST(CompareModels, NoFiniteNumberIsNoDifferenceOfZero) {
  TableModel a(Successor);
  TableModel b([](int32_t, int32_t) { return std::numeric_limits<float>::quiet_NaN(); });
  EXPECT_EQ(CompareLogits(a, b, kTexts)->max_abs_logit_diff, std::numeric_limits<double>::infinity());
  EXPECT_EQ(CompareLogits(b, a, kTexts).error().code, ErrorCode::kMismatch);
}

TEST(CompareModels, VocabulariesOfTwoSizesAreNoPair) {
  TableModel a(Successor), b(Successor, kVocabulary + 1);
  EXPECT_EQ(CompareLogits(a, b, kTexts).error().code, ErrorCode::kMismatch);
}

TEST(CompareModels, APartingIsAsLargeAsThePreferenceForTheOwnToken) {
  TableModel a(Successor);
  // After 1 it prefers 3 to 2, where the first model prefers 2 by nothing: a tie that the lowest id wins.
  TableModel b(
      [](int32_t last, int32_t next) { return Successor(last, next) + (last == 0 && next == 2 ? 2.0F : 0.0F); });
  const Continuations g = *CompareGreedy(a, b, kTexts, 5);
  EXPECT_FALSE(g.identical);
  EXPECT_EQ(g.preference, 1);  // after 0: 3 for id 1, 2 for id 2
}

}  // namespace
}  // namespace isoveil
