#include "isoveil/arch/bind.h"

#include <gtest/gtest.h>

#include "isoveil/base/file.h"
#include "isoveil/base/temp_folder_for_test.h"
#include "isoveil/format/safetensors.h"

namespace isoveil {
namespace {

class BindTest : public TempFolderTest {
 protected:
  // A decoder of four coordinates that holds the embedding, the last norm and `n_layers` layers.
  Result<BoundModel> BindDecoder(size_t n_layers, std::string_view said_layers) {
    std::vector<TensorInfo> tensors = {{"model.embed_tokens.weight", DType::kF32, {4, 4}},
                                       {"model.norm.weight", DType::kF32, {4}}};
    for (size_t i = 0; i < n_layers; ++i) {
      const std::string layer = fmt::format("model.layers.{}.", i);
      for (const char* name :
           {"self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down"})
        tensors.push_back({fmt::format("{}{}_proj.weight", layer, name), DType::kF32, {4, 4}});
      for (const char* name : {"input", "post_attention"})
        tensors.push_back({fmt::format("{}{}_layernorm.weight", layer, name), DType::kF32, {4}});
    }
    const FileLayout layout = LayOutSafetensors(tensors, {}).value();
    std::string file = layout.header;
    file.resize(layout.size);
    EXPECT_TRUE(WriteNewFile(folder() / "model.safetensors", file));
    EXPECT_TRUE(WriteNewFile(
        folder() / "config.json",
        fmt::format(R"({{"architectures": ["LlamaForCausalLM"], "num_hidden_layers": {}, "max_position_embeddings": 8,
                         "hidden_size": 4, "intermediate_size": 4, "num_attention_heads": 1, "rms_norm_eps": 1e-5,
                         "tie_word_embeddings": true}})",
                    said_layers)));
    checkpoint_ = Checkpoint::Open(folder() / "model.safetensors").value();
    return Bind(checkpoint_, {});
  }

 private:
  Checkpoint checkpoint_;
};

TEST_F(BindTest, FindsTheWeightsOfEveryLayer) {
  const auto model = BindDecoder(2, "2");
  ASSERT_TRUE(model) << model.error().Message();
  EXPECT_EQ(model->slices.size(), 2 + 2 * 9u);
}

TEST_F(BindTest, NamesAWeightThatIsMissing) {
  const auto model = BindDecoder(1, "2");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(model.error().where, "weight blk.1.attn_k.weight");
}

// Element (r, c) of expert e of n_experts stacked matrices is number (e * rows + r) * cols + c of the tensor.
TEST(StackedExperts, LieOneBehindTheOther) {
  constexpr uint64_t kExperts = 3, kRows = 4, kCols = 64;
  Graph graph(Graph::Norms::kKept);
  const SpaceId experts = graph.AddSpace("experts", kExperts);
  const SpaceId in = graph.AddSpace("in", kCols);
  const WeightId first = graph.weights().size();
  for (uint64_t e = 0; e < kExperts; ++e) {
    const SpaceId out = graph.AddSpace(fmt::format("out.{}", e), kRows);
    for (const char* matrix : {"ffn_gate", "ffn_up"}) {
      graph.Linear(fmt::format("blk.5.{}.{}.weight", matrix, e), "", {in}, out);
    }
  }
  graph.Members(experts, first);

  const StoredTensor stored = FindStored({.modules = GgufExperts()}, graph, "blk.5.ffn_up.2.weight");
  EXPECT_EQ(stored.name, "blk.5.ffn_up_exps.weight");
  ASSERT_EQ(stored.roles,
            (std::vector<std::string>{"blk.5.ffn_up.0.weight", "blk.5.ffn_up.1.weight", "blk.5.ffn_up.2.weight"}));
  std::vector<const Weight*> weights;
  for (const std::string& role : stored.roles) weights.push_back(graph.FindWeight(role));
  for (const DType type : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    const auto layout = LayOutTensor(stored, graph, weights, type);
    ASSERT_TRUE(layout) << layout.error().Message();
    EXPECT_EQ(layout->shape, (Shape{kExperts, kRows, kCols}));
    const uint64_t row_bytes = *RowBytes(type, kCols);
    for (uint64_t e = 0; e < kExperts; ++e) {
      const Slice& slice = layout->slices[e];
      for (uint64_t r = 0; r < kRows; ++r) {
        EXPECT_EQ(slice.offset + slice.rows.Offset(r), (e * kRows + r) * row_bytes) << DTypeName(type);
      }
      EXPECT_EQ(slice.cols.count, kCols);
    }
  }
}

TEST(FlatMatrix, IsAVector) {
  Graph graph(Graph::Norms::kKept);
  const SpaceId in = graph.AddSpace("in", 8), gate = graph.AddSpace("gate", 1);
  graph.Linear("blk.0.ffn_gate_inp_shexp.weight", "", {in}, gate);
  const StoredTensor stored = FindStored({.modules = GgufExperts()}, graph, "blk.0.ffn_gate_inp_shexp.weight");
  const Weight* const weights[] = {graph.FindWeight("blk.0.ffn_gate_inp_shexp.weight")};
  const auto layout = LayOutTensor(stored, graph, weights, DType::kF32);
  ASSERT_TRUE(layout) << layout.error().Message();
  EXPECT_EQ(layout->shape, Shape{8});
  EXPECT_EQ(layout->slices.front().cols.count, 8u);
}

// States no layer of those, however many: a network of 2^24 layers would take minutes and gigabytes.
TEST_F(BindTest, HasNoMoreLayersThanTensors) {
  for (const char* said : {"12", "4096", "16777216"}) {
    const auto model = BindDecoder(1, said);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().where, "config.json: num_hidden_layers");
    EXPECT_EQ(model.error().problem, fmt::format("{} layers, but the checkpoint holds 11 tensors", said));
    std::filesystem::remove(folder() / "model.safetensors");
    std::filesystem::remove(folder() / "config.json");
  }
}

}  // namespace
}  // namespace isoveil
