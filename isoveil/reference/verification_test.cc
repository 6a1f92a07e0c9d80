#include "isoveil/reference/verification.h"

#include <gtest/gtest.h>

#include <limits>

namespace isoveil {
namespace {

Comparison Of(double max, double rms) { return {.max_abs_logit_diff = max, .rms_logit_diff = rms, .logit_range = 40}; }

Verification Good() {
  return {.comparison = Of(3e-5, 3e-6),
          .summation = Of(6e-5, 6e-6),
          .served_summation = Of(2e-3, 1e-4),
          .storage = Of(1e-2, 1e-3)};
}

bool Accepted(const Verification& v) { return Accepts(v, Allow(v)); }

TEST(Verification, WhatThePlaintextModelShowsAgainstItselfIsAllowedTwice) {
  EXPECT_TRUE(Accepted(Good()));
  Verification v = Good();
  v.comparison.max_abs_logit_diff = 2.1 * 6e-5;
  EXPECT_FALSE(Accepted(v));
  v = Good();
  v.comparison.rms_logit_diff = 2.1 * 6e-6;
  EXPECT_FALSE(Accepted(v));
}

TEST(Verification, AModelWithoutADifferenceOfItsOwnHasAFloor) {
  Verification v = Good();
  v.summation = Of(0, 0);
  v.comparison = Of(40 * 1.9e-6, 40 * 1.9e-7);
  EXPECT_TRUE(Accepted(v));
  v.comparison = Of(40 * 2.1e-6, 40 * 1.9e-7);
  EXPECT_FALSE(Accepted(v));
}

TEST(Verification, RoundedWeightsCountWhereTheProfileRoundsThem) {
  Verification v = Good();
  v.comparison = Of(0.02, 0.001);
  EXPECT_FALSE(Accepted(v));
  v.weights = Of(0.015, 0.001);
  EXPECT_TRUE(Accepted(v));
}

TEST(Verification, OfSeveralSamplesTheLargestOfEachFigureCounts) {
  const Comparison samples[] = {Of(0.01, 0.003), Of(0.03, 0.001), Of(0.02, 0.002)};
  const Comparison largest = Largest(samples);
  EXPECT_EQ(largest.max_abs_logit_diff, 0.03);
  EXPECT_EQ(largest.rms_logit_diff, 0.003);
  EXPECT_EQ(largest.logit_range, 40);
}

TEST(Verification, ContinuationsPartAtATieOnly) {
  Verification v = Good();
  v.greedy = {.tokens = 100, .identical = false, .preference = 0.019};
  EXPECT_TRUE(Accepted(v));  // the storage type alone changes logits by 0.01
  v.greedy.preference = 0.021;
  EXPECT_FALSE(Accepted(v));
}

TEST(Verification, NoNumberIsNoMatch) {
  Verification v = Good();
  v.comparison.rms_logit_diff = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(Accepted(v));
}

TEST(Verification, TheSecondReferenceMustAgreeWithTheConversionAndWithTheServer) {
  Verification v = Good();
  v.second = {.engine = "other", .conversion = Of(1e-4, 2e-5), .server = Of(3e-5, 3e-6), .summation = Of(2e-5, 2e-6)};
  EXPECT_TRUE(Accepted(v));
  v.second->conversion = Of(2e-4, 2e-5);
  EXPECT_FALSE(Accepted(v));
  v.second->conversion = Of(1e-4, 2e-5);
  v.second->server = Of(1e-3, 3e-6);
  EXPECT_FALSE(Accepted(v));
  v.second->server.reset();  // a GGUF, which it does not read
  EXPECT_TRUE(Accepted(v));
}

}  // namespace
}  // namespace isoveil
