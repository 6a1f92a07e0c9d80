#include "isoveil/package/label_head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace isoveil {
namespace {

struct Stored {
  std::string name;
  Shape shape;
  std::vector<float> values;
};

const std::vector<Stored> kWeights = {{"pooler.weight", {3, 2}, {1, 0, -1, 2, 0.5F, 0.25F}},
                                      {"pooler.bias", {3}, {0.5F, -0.5F, 0}},
                                      {"classifier.weight", {2, 3}, {1, 2, 3, -1, -2, -3}}};

Ports TwoLabels() {
  return {.spaces = {{"residual", 2, Group::SignedPermutation()}, {"labels", 2, Group::Trivial()}},
          .list = {{"last_hidden_state", PortKind::kVectors, "residual"}, {"logits", PortKind::kLabels, "labels"}}};
}

ClientHead Head(HeadFunction function = HeadFunction::kTanh) {
  return {.input = "last_hidden_state", .layers = {{"pooler", function}, {"classifier"}}};
}

Result<LabelHead> Make(const std::vector<Stored>& weights, const ClientHead& head, const Ports& ports = TwoLabels()) {
  std::vector<TensorInfo> infos;
  std::string data;
  for (const Stored& weight : weights) {
    infos.push_back({weight.name, DType::kF32, weight.shape});
    data.append(reinterpret_cast<const char*>(weight.values.data()), weight.values.size() * sizeof(float));
  }
  const std::string bytes = LayOutSafetensors(infos, {})->header + data;
  const auto file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "head");
  if (!file) return tl::unexpected(file.error());
  return LabelHead::FromFile(*file, "head", head, ports);
}

std::string ProblemOf(const std::vector<Stored>& weights, const ClientHead& head, const Ports& ports = TwoLabels()) {
  const auto made = Make(weights, head, ports);
  return made ? "" : made.error().Message();
}

double Apply(HeadFunction function, double x) {
  switch (function) {
    case HeadFunction::kNone: return x;
    case HeadFunction::kTanh: return std::tanh(x);
    case HeadFunction::kRelu: return x > 0 ? x : 0;
    case HeadFunction::kGelu: return x * (1 + std::erf(x * std::sqrt(0.5))) / 2;
  }
  return 0;
}

TEST(LabelHead, AppliesItsLayersInTurn) {
  const std::vector<double> v = {0.5, -0.75};
  for (const HeadFunction f : {HeadFunction::kNone, HeadFunction::kTanh, HeadFunction::kRelu, HeadFunction::kGelu}) {
    const auto head = Make(kWeights, Head(f));
    ASSERT_TRUE(head) << head.error().Message();
    EXPECT_EQ(head->input(), "last_hidden_state");
    const double a = Apply(f, v[0] + 0.5), b = Apply(f, -v[0] + 2 * v[1] - 0.5), c = Apply(f, 0.5 * v[0] + 0.25 * v[1]);
    const auto labels = head->Apply(v);
    ASSERT_TRUE(labels);
    ASSERT_EQ(labels->size(), 2U);
    EXPECT_NEAR((*labels)[0], a + 2 * b + 3 * c, 1e-12);
    EXPECT_NEAR((*labels)[1], -a - 2 * b - 3 * c, 1e-12);
  }
}

TEST(LabelHead, AVectorOfAnotherSizeIsRefused) {
  const std::vector<double> long_one(3);
  EXPECT_EQ(Make(kWeights, Head())->Apply(long_one).error().Message(), "vector: expected 2 numbers, found 3");
}

TEST(LabelHead, WhatDoesNotFitTogetherIsNamed) {
  const auto has = [](const std::string& message, const std::string& part) {
    return message.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(ProblemOf({kWeights[0], kWeights[1]}, Head()), "classifier.weight"));
  std::vector<Stored> wide = kWeights;
  wide[2].shape = {3, 2};
  EXPECT_TRUE(has(ProblemOf(wide, Head()), "expected shape [n, 3], found [3, 2]"));
  std::vector<Stored> bias = kWeights;
  bias[1] = {"pooler.bias", {2}, {0, 0}};
  EXPECT_TRUE(has(ProblemOf(bias, Head()), "expected shape [3], found [2]"));
  std::vector<Stored> one = kWeights;
  one[2] = {"classifier.weight", {1, 3}, {1, 2, 3}};
  EXPECT_TRUE(has(ProblemOf(one, Head()), "expected 2 rows, one for each label, found 1"));
  Ports ports = TwoLabels();
  ports.list.pop_back();
  EXPECT_TRUE(has(ProblemOf(kWeights, Head(), ports), "no ports for it"));
  EXPECT_TRUE(has(ProblemOf(kWeights, {.input = "pooler_output", .layers = {{"classifier"}}}), "no ports for it"));
  EXPECT_TRUE(has(ProblemOf(kWeights, {.input = "last_hidden_state", .layers = {}}), "no ports for it"));
}

}  // namespace
}  // namespace isoveil
