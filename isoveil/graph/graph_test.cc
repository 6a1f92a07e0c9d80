// Which group every rule leaves to its spaces: the symmetry table, row by row.
#include "isoveil/graph/graph.h"

#include <gtest/gtest.h>

#include "isoveil/graph/storage.h"

namespace isoveil {
namespace {

constexpr Graph::Norms kBoth[] = {Graph::Norms::kKept, Graph::Norms::kFolded};

TEST(RulesTest, EmbeddingAndHeadPermuteTheVocabulary) {
  Graph graph(Graph::Norms::kKept);
  const SpaceId vocab = graph.AddSpace("vocab", 10);
  const SpaceId residual = graph.AddSpace("residual", 4);
  graph.Embedding("embedding", vocab, residual);
  EXPECT_EQ(graph.space(vocab).group, Group::Permutation());
  EXPECT_EQ(graph.space(residual).group, Group::General());
  EXPECT_EQ(graph.FindWeight("embedding")->shape, (Shape{10, 4}));
  graph.Head("head", "", {residual}, vocab, std::nullopt);
  EXPECT_EQ(graph.space(residual).group, Group::General()) << "an untied head is a free linear map";
  EXPECT_EQ(graph.FindWeight("head")->axes[1].segments[0].view, View::kDual);
}

TEST(RulesTest, RmsNormIsOrthogonalWhenItsGainFolds) {
  for (const Graph::Norms norms : kBoth) {
    Graph graph(norms);
    const SpaceId x = graph.AddSpace("x", 4);
    const SpaceId y = graph.AddSpace("y", 6);
    const Reader reader = graph.RmsNorm("gain", x);
    graph.Linear("w", "", reader, {y});
    const bool folded = norms == Graph::Norms::kFolded;
    EXPECT_EQ(graph.space(x).group, folded ? Group::Orthogonal() : Group::SignedPermutation());
    EXPECT_EQ(graph.space(y).group, Group::General());
    EXPECT_EQ(graph.FindWeight("w")->gain, folded ? "gain" : "");
    EXPECT_EQ(graph.FindWeight("gain")->constant.has_value(), folded);
    EXPECT_EQ(graph.FindWeight("gain")->axes[0].segments[0].view, View::kPermutation);
  }
}

TEST(RulesTest, LayerNormFixesOnesAndMovesItsBias) {
  for (const Graph::Norms norms : kBoth) {
    Graph graph(norms);
    const SpaceId x = graph.AddSpace("x", 4);
    graph.Linear("w", "b", graph.LayerNorm("gain", "beta", x), {graph.AddSpace("y", 6)});
    const bool folded = norms == Graph::Norms::kFolded;
    EXPECT_EQ(graph.space(x).group, folded ? Group::OrthogonalFixingOnes() : Group::Permutation());
    EXPECT_EQ(graph.FindWeight("b")->plus_vector, folded ? "beta" : "");
    EXPECT_EQ(graph.FindWeight("b")->plus_matrix, folded ? "w" : "");
  }
}

TEST(RulesTest, ALayerNormWithOwnBiasKeepsItsBiasDividedByTheGain) {
  Graph graph(Graph::Norms::kFolded);
  const SpaceId x = graph.AddSpace("x", 4);
  graph.Head("head", "", graph.LayerNormWithOwnBias("gain", "beta", x), graph.AddSpace("vocab", 9), "embedding");
  EXPECT_EQ(graph.FindWeight("beta")->divisor, "gain");
  EXPECT_EQ(graph.FindWeight("beta")->axes[0].segments[0].view, View::kDirect);
  EXPECT_FALSE(graph.FindWeight("beta")->constant);
  EXPECT_EQ(graph.FindWeight("head")->source, "embedding");
  EXPECT_EQ(graph.FindWeight("head")->gain, "gain");
}

TEST(RulesTest, ATiedHeadStaysTiedUnlessAGainIsFolded) {
  Graph graph(Graph::Norms::kKept);
  const SpaceId x = graph.AddSpace("x", 4);
  graph.Head("head", "", graph.RmsNorm("gain", x), graph.AddSpace("vocab", 9), "embedding");
  EXPECT_EQ(graph.FindWeight("head"), nullptr);
  EXPECT_TRUE(graph.space(x).group.IsSubgroupOf(Group::Orthogonal()));
}

TEST(RulesTest, ANormThatIsWrittenBackPermutesInBothProfiles) {
  for (const Graph::Norms norms : kBoth) {
    Graph graph(norms);
    const SpaceId x = graph.AddSpace("x", 4);
    graph.KeptLayerNorm("gain", "beta", x);
    EXPECT_EQ(graph.space(x).group, Group::Permutation());
    for (const char* role : {"gain", "beta"}) {
      EXPECT_FALSE(graph.FindWeight(role)->constant) << role;
      EXPECT_EQ(graph.FindWeight(role)->axes[0].segments[0].view, View::kPermutation) << role;
    }
  }
}

TEST(RulesTest, AnRmsNormThatIsAddedKeepsSigns) {
  for (const Graph::Norms norms : kBoth) {
    Graph graph(norms);
    const SpaceId x = graph.AddSpace("x", 4);
    graph.KeptRmsNorm("gain", x);
    EXPECT_EQ(graph.space(x).group, Group::SignedPermutation());
    EXPECT_FALSE(graph.FindWeight("gain")->constant);
    EXPECT_EQ(graph.FindWeight("gain")->axes[0].segments[0].view, View::kPermutation);
  }
}

TEST(RulesTest, ALayerNormWithoutBiasOrWeightsIsReadByAnyMap) {
  for (const Graph::Norms norms : kBoth) {
    const bool folded = norms == Graph::Norms::kFolded;
    Graph graph(norms);
    const SpaceId x = graph.AddSpace("x", 4);
    graph.Linear("w", "", graph.LayerNorm("gain", "", x), {graph.AddSpace("y", 6)});
    EXPECT_EQ(graph.space(x).group, folded ? Group::OrthogonalFixingOnes() : Group::Permutation());
    EXPECT_EQ(graph.FindWeight("w")->gain, folded ? "gain" : "");
    EXPECT_EQ(graph.FindWeight("gain")->constant.has_value(), folded);
    const SpaceId bare = graph.AddSpace("bare", 4);
    EXPECT_EQ(graph.LayerNorm("", "", bare).gain, "");
    EXPECT_EQ(graph.space(bare).group, Group::OrthogonalFixingOnes()) << "nothing of it depends on coordinates";
    EXPECT_EQ(graph.weights().size(), 2U);
  }
}

TEST(RulesTest, NormsOfHeadsLeaveSignsAndMoveWithTheHeads) {
  Graph graph(Graph::Norms::kFolded);
  const AttentionAxes axes = graph.Attention("layer.0", {.n_heads = 4, .kv_heads = 2, .head_dim = 6, .rotary_dim = 6});
  graph.NormHeads("q_norm", axes.query, Graph::HeadNorm::kEachHead);
  graph.NormHeads("k_norm", axes.key, Graph::HeadNorm::kAllHeads);
  EXPECT_EQ(graph.space(axes.query.segments[0].space).group, Group::Of(Move::kSign, Move::kPairSign));
  EXPECT_EQ(graph.space(axes.value.segments[0].space).group, Group::General()) << "values are not normed";
  EXPECT_EQ(graph.FindWeight("q_norm")->shape, (Shape{6}));
  EXPECT_EQ(graph.space(graph.FindWeight("q_norm")->axes[0].segments[0].space).group, Group::Trivial());
  EXPECT_EQ(graph.FindWeight("k_norm")->shape, (Shape{12}));
  EXPECT_EQ(graph.FindWeight("k_norm")->axes[0].copies, Copies::kPerKvHead);
  EXPECT_TRUE(graph.head_sets()[0].groups_move);
}

TEST(RulesTest, WeightsOfASetKnowTheirSiblings) {
  Graph graph(Graph::Norms::kKept);
  const SpaceId x = graph.AddSpace("x", 4);
  const SpaceId experts = graph.AddSpace("experts", 3);
  graph.Router(experts);
  graph.Linear("router", "", {x}, experts);
  const WeightId first = graph.weights().size();
  for (int e = 0; e < 3; ++e) {
    const SpaceId ffn = graph.AddSpace("expert." + std::to_string(e), 6);
    graph.Linear("up." + std::to_string(e), "", {x}, ffn);
    graph.Linear("down." + std::to_string(e), "", {ffn}, x);
  }
  graph.Members(experts, first);
  EXPECT_EQ(graph.space(experts).group, Group::Permutation());
  EXPECT_FALSE(graph.FindWeight("router")->member);
  for (const char* role : {"up.", "down."}) {
    for (uint64_t from = 0; from < 3; ++from) {
      for (uint64_t to = 0; to < 3; ++to) {
        const Weight& weight = *graph.FindWeight(role + std::to_string(from));
        EXPECT_EQ(graph.Sibling(weight, to).role, role + std::to_string(to));
      }
    }
  }
}

TEST(RulesTest, NumbersOfHeadsMoveWithThem) {
  Graph graph(Graph::Norms::kKept);
  const AttentionShape shape{.n_heads = 6, .kv_heads = 3, .head_dim = 4};
  const HeadSetId heads = graph.AddHeads("heads", shape);
  graph.PerHead("bias", 32, heads);
  const AttentionAxes first = graph.Attention("layer.0", shape, heads);
  const AttentionAxes second = graph.Attention("layer.1", shape, heads);
  EXPECT_EQ(graph.head_sets().size(), 1U) << "layers share them";
  EXPECT_EQ(graph.space(first.query.segments[0].space).heads, graph.space(second.query.segments[0].space).heads);
  EXPECT_EQ(graph.FindWeight("bias")->shape, (Shape{32, 6}));
  EXPECT_EQ(graph.FindWeight("bias")->axes[1].copies, Copies::kPerQueryHead);
}

TEST(RulesTest, NumbersOfHeadsByPlaceHoldThem) {
  Graph graph(Graph::Norms::kFolded);
  graph.FixHeads(graph.Attention("layer.0", {.n_heads = 4, .kv_heads = 2, .head_dim = 6}));
  EXPECT_FALSE(graph.head_sets()[0].groups_move);
  EXPECT_FALSE(graph.head_sets()[0].queries_move);
}

TEST(RulesTest, APositiveFunctionKeepsPositiveScales) {
  Graph graph(Graph::Norms::kFolded);
  const SpaceId x = graph.AddSpace("x", 4);
  graph.PositiveElementwise(x);
  EXPECT_EQ(graph.space(x).group, Group::PositiveMonomial());
}

TEST(RulesTest, ATiedHeadWithABiasFoldsTheNormThroughTheEmbedding) {
  Graph graph(Graph::Norms::kFolded);
  const SpaceId x = graph.AddSpace("x", 4);
  graph.Head("head", "head_bias", graph.LayerNorm("gain", "beta", x), graph.AddSpace("vocab", 9), "embedding");
  EXPECT_EQ(graph.FindWeight("head")->source, "embedding");
  EXPECT_EQ(graph.FindWeight("head_bias")->plus_matrix, "embedding");
  EXPECT_EQ(graph.FindWeight("head_bias")->plus_vector, "beta");
}

TEST(RulesTest, AnOddFunctionKeepsSigns) {
  Graph graph(Graph::Norms::kFolded);
  const SpaceId x = graph.AddSpace("x", 4);
  graph.OddElementwise(x);
  EXPECT_EQ(graph.space(x).group, Group::SignedPermutation());
}

TEST(RulesTest, RowsOfPublicNumbersStay) {
  Graph graph(Graph::Norms::kKept);
  const SpaceId x = graph.AddSpace("x", 4);
  graph.PublicEmbedding("positions", 7, x);
  EXPECT_EQ(graph.FindWeight("positions")->shape, (Shape{7, 4}));
  EXPECT_EQ(graph.space(graph.FindWeight("positions")->axes[0].segments[0].space).group, Group::Trivial());
  EXPECT_EQ(graph.space(x).group, Group::General());
}

TEST(GraphTest, PortsCarryTheGroupsThatRulesLeave) {
  Graph graph(Graph::Norms::kKept);
  const SpaceId vocab = graph.AddSpace("vocab", 10);
  const SpaceId x = graph.AddSpace("x", 4);
  graph.AddPort("input_ids", PortKind::kIds, vocab);
  graph.AddPort("logits", PortKind::kLogits, vocab);
  graph.AddPort("hidden", PortKind::kVectors, x);
  graph.Embedding("embedding", vocab, x);
  graph.OddElementwise(x);
  const Ports ports = graph.ports();
  ASSERT_EQ(ports.spaces.size(), 2u);
  ASSERT_EQ(ports.list.size(), 3u);
  EXPECT_EQ(*ports.SpaceOf(PortKind::kLogits), (SpaceRecord{"vocab", 10, Group::Permutation()}));
  EXPECT_EQ(*ports.SpaceOf(PortKind::kVectors), (SpaceRecord{"x", 4, Group::SignedPermutation()}));
  EXPECT_EQ(Graph(Graph::Norms::kKept).ports().SpaceOf(PortKind::kIds), nullptr);
}

TEST(RulesTest, ElementwiseAndGatedProducts) {
  Graph graph(Graph::Norms::kKept);
  const SpaceId gelu = graph.AddSpace("gelu", 8);
  graph.Elementwise(gelu);
  EXPECT_EQ(graph.space(gelu).group, Group::Permutation());
  const SpaceId gated = graph.AddSpace("gated", 8);
  const Graph::GatedAxes axes = graph.GatedProduct(gated);
  EXPECT_EQ(graph.space(gated).group, Group::Monomial());
  EXPECT_EQ(axes.gate.segments[0].view, View::kPermutation);
  EXPECT_EQ(axes.value.segments[0].view, View::kDirect);
}

TEST(RulesTest, AttentionSharesHeadsAndPairsQueryWithKeyDually) {
  Graph graph(Graph::Norms::kKept);
  const AttentionAxes axes = graph.Attention("layer.0", {.n_heads = 8, .kv_heads = 2, .head_dim = 6, .rotary_dim = 4});
  EXPECT_EQ(axes.query.segments[0].space, axes.key.segments[0].space);
  EXPECT_EQ(axes.query.segments[0].view, View::kDirect);
  EXPECT_EQ(axes.key.segments[0].view, View::kDual);
  EXPECT_EQ(graph.AxisDim(axes.query), 48U);
  EXPECT_EQ(graph.AxisDim(axes.key), 12U);
  EXPECT_EQ(axes.value.segments[0].space, axes.output.axis.segments[0].space);
  EXPECT_EQ(axes.output.axis.copies, Copies::kPerQueryHead);
  EXPECT_EQ(graph.space(axes.query.segments[0].space).heads, graph.space(axes.value.segments[0].space).heads);
  EXPECT_EQ(graph.space(axes.query.segments[0].space).rotary_dim, 4U);
}

struct Stored {
  Graph graph{Graph::Norms::kKept};
  SpaceId rows = graph.AddSpace("rows", 64);
  SpaceId cols = graph.AddSpace("cols", 512);
  Stored() { graph.Linear("w", "", {cols}, {rows}); }
};

TEST(StorageTest, BlockFormatsMoveRowsAndWholeBlocks) {
  Stored s;
  NarrowToStorage(*s.graph.FindWeight("w"), DType::kQ4_K, s.graph);
  EXPECT_EQ(s.graph.space(s.rows).group, Group::Permutation());
  EXPECT_EQ(s.graph.space(s.cols).group, Group::BlockPermutation(256));
}

TEST(StorageTest, HalfFloatsAreNotScaledByPowersOfTwo) {
  Stored s;
  NarrowToStorage(*s.graph.FindWeight("w"), DType::kF16, s.graph);
  EXPECT_FALSE(s.graph.space(s.rows).group.Has(Move::kPowerOfTwo));
  EXPECT_TRUE(s.graph.space(s.rows).group.Has(Move::kMix));
  Stored plain;
  NarrowToStorage(*plain.graph.FindWeight("w"), DType::kBF16, plain.graph);
  EXPECT_EQ(plain.graph.space(plain.rows).group, Group::General());
}

TEST(StorageTest, BlocksThatSpanHeadsHoldThemTogether) {
  for (const uint64_t head_dim : {64, 32}) {
    Graph graph(Graph::Norms::kKept);
    const AttentionAxes axes = graph.Attention("a", {.n_heads = 16, .kv_heads = 4, .head_dim = head_dim});
    graph.Linear("o", "", axes.output, {graph.AddSpace("residual", 8)});
    NarrowToStorage(*graph.FindWeight("o"), DType::kQ6_K, graph);
    EXPECT_FALSE(graph.head_sets()[0].queries_move);
    // Four queries of 64 fill a block of 256; four of 32 do not.
    EXPECT_EQ(graph.head_sets()[0].groups_move, head_dim == 64);
    EXPECT_EQ(graph.space(axes.output.axis.segments[0].space).group, Group::Trivial());
  }
}

}  // namespace
}  // namespace isoveil
