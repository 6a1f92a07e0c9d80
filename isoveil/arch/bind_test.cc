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
