// Elements along axes of several segments: what heads share, what each has of its own, and spaces side by side.
#include "isoveil/transform/axis_actions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace isoveil {
namespace {

ModelKey KeyForTest() {
  SecretBytes root = SecretBytes::Allocate(32).value();
  root.InsecureMutableBytes()[0] = std::byte{7};
  return {RootKey::FromSecret(std::move(root)).value(), ModelIdentity{}};
}

std::vector<double> Acted(const Action& action, std::vector<double> x) {
  std::vector<double> scratch;
  action.Apply(x.data(), 1, 1, scratch);
  return x;
}

std::vector<double> Normal(uint64_t n, uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<double> normal;
  std::vector<double> x(n);
  for (double& value : x) value = normal(rng);
  return x;
}

// Latent attention: a part of each head that RoPE leaves alone, and a part with positions whose keys all heads share.
struct Latent {
  Graph graph{Graph::Norms::kFolded};
  AttentionAxes axes = graph.Attention("layer.0", {.n_heads = 4, .kv_heads = 4, .head_dim = 6});
  SpaceId nope = axes.query.segments[0].space;
  SpaceId rope = graph.AddRotarySpace("layer.0.rope", 4);
  Axis query{std::vector<Segment>{{nope}, {rope}}, Copies::kPerQueryHead};
};

TEST(AxisActionsTest, ScoresOfHeadsInSegmentsStay) {
  Latent m;
  const ModelKey key = KeyForTest();
  const KeyActions drawn(key);
  const auto half = RopeLayout::Pairing::kRotateHalf;
  const AxisActions actions(m.graph, drawn, half, half);
  EXPECT_EQ(m.graph.AxisDim(m.query), 40U);

  const std::vector<double> q = Normal(40, 1);
  const std::vector<double> k_nope = Normal(24, 2);
  const std::vector<double> k_rope = Normal(4, 3);
  const auto scores = [&](const auto& query, const auto& nope, const auto& rope) {
    std::vector<double> sums;
    for (size_t head = 0; head < 4; ++head) {
      double sum = 0;
      for (size_t i = 0; i < 6; ++i) sum += query[head * 10 + i] * nope[head * 6 + i];
      for (size_t i = 0; i < 4; ++i) sum += query[head * 10 + 6 + i] * rope[i];
      sums.push_back(sum);
    }
    std::sort(sums.begin(), sums.end());  // heads change places
    return sums;
  };
  const std::vector<double> plain = scores(q, k_nope, k_rope);
  const std::vector<double> moved = scores(Acted(actions.Along(m.query), q), Acted(actions.Along(m.axes.key), k_nope),
                                           Acted(actions.Along(Axis(m.rope, View::kDual)), k_rope));
  for (size_t head = 0; head < 4; ++head) EXPECT_NEAR(plain[head], moved[head], 1e-10);
}

TEST(AxisActionsTest, SegmentsStandSideBySide) {
  Graph graph(Graph::Norms::kKept);
  const SpaceId a = graph.AddSpace("a", 3);
  const SpaceId b = graph.AddSpace("b", 5);
  graph.Elementwise(a);
  graph.Elementwise(b);
  const ModelKey key = KeyForTest();
  const KeyActions drawn(key);
  const AxisActions actions(graph, drawn, RopeLayout::Pairing::kRotateHalf, RopeLayout::Pairing::kRotateHalf);
  const std::vector<double> x = Normal(8, 4);
  const std::vector<double> both = Acted(actions.Along(Axis(std::vector<Segment>{{a}, {b}})), x);
  std::vector<double> parts = Acted(actions.Along(a), {x.begin(), x.begin() + 3});
  const std::vector<double> rest = Acted(actions.Along(b), {x.begin() + 3, x.end()});
  parts.insert(parts.end(), rest.begin(), rest.end());
  EXPECT_EQ(both, parts);
}

}  // namespace
}  // namespace isoveil
