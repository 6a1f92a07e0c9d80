#include "isoveil/format/checkpoint.h"

#include <gtest/gtest.h>

#include "isoveil/base/temp_folder_for_test.h"
#include "isoveil/format/vectors_for_test.h"

namespace isoveil {
namespace {

using CheckpointTest = TempFolderTest;

Checkpoint OpenVector(const std::string& name) {
  Result<Checkpoint> checkpoint = Checkpoint::Open(VectorPath(name));
  EXPECT_TRUE(checkpoint) << (checkpoint ? "" : checkpoint.error().Message());
  return checkpoint ? *std::move(checkpoint) : Checkpoint();
}

TEST_F(CheckpointTest, ReadsAnHfFolder) {
  const Checkpoint checkpoint = OpenVector("fixture/hf_sharded");
  EXPECT_EQ(checkpoint.kind(), FormatKind::kHuggingFace);
  EXPECT_EQ(checkpoint.gguf(), nullptr);
  ASSERT_NE(checkpoint.hf(), nullptr);
  EXPECT_EQ(checkpoint.hf()->config()["vocab_size"], 5);
  EXPECT_EQ(checkpoint.hf()->generation_config(), nullptr);
  ASSERT_EQ(checkpoint.shards().size(), 2u);
  EXPECT_EQ(checkpoint.shards()[1].file_name, "model-00002-of-00002.safetensors");
  EXPECT_EQ(checkpoint.shards()[1].tensors.size(), 1u);
  EXPECT_EQ(checkpoint.tensors().size(), 3u);
  EXPECT_EQ(checkpoint.total_bytes(), 5 * 4 * 2 + 4 * 2 + 5 * 4 * 4u);
}

TEST_F(CheckpointTest, ReadsASplitGguf) {
  const Checkpoint checkpoint = OpenVector("fixture/split-00001-of-00002.gguf");
  EXPECT_EQ(checkpoint.kind(), FormatKind::kGguf);
  EXPECT_EQ(checkpoint.hf(), nullptr);
  ASSERT_NE(checkpoint.gguf(), nullptr);
  EXPECT_EQ(checkpoint.shards().size(), 2u);
  EXPECT_EQ(checkpoint.tensors().size(), 3u);
}

TEST_F(CheckpointTest, FindsTensors) {
  for (const char* name : {"fixture/hf_sharded", "fixture/split-00001-of-00002.gguf"}) {
    Checkpoint checkpoint = OpenVector(name);
    const Checkpoint copy = checkpoint;
    const Checkpoint moved = std::move(checkpoint);
    for (const Checkpoint* c : {&copy, &moved}) {
      for (size_t shard = 0; shard < c->shards().size(); ++shard) {
        for (const TensorInfo& info : c->shards()[shard].tensors) {
          const TensorView* found = c->FindTensor(info.name);
          ASSERT_NE(found, nullptr);
          EXPECT_EQ(found->info, info);
          EXPECT_EQ(c->ShardOf(info.name), shard);
          const std::vector<std::byte> before(found->bytes.begin(), found->bytes.end());
          c->Release(*found);
          EXPECT_TRUE(std::equal(before.begin(), before.end(), found->bytes.begin()));
        }
      }
      EXPECT_EQ(c->FindTensor("absent"), nullptr);
      EXPECT_EQ(c->ShardOf("absent"), std::nullopt);
    }
  }
}

TEST_F(CheckpointTest, ReadsGenerationConfigAndTokenizerFiles) {
  const Checkpoint single = OpenVector("fixture/hf_single");
  ASSERT_NE(single.hf()->generation_config(), nullptr);
  EXPECT_EQ((*single.hf()->generation_config())["eos_token_id"].size(), 2u);
  EXPECT_FALSE(single.hf()->has_tokenizer());
  EXPECT_TRUE(single.hf()->tokenizer_files().empty());

  const Checkpoint with = OpenVector("folder/good_single");
  EXPECT_TRUE(with.hf()->has_tokenizer());
  ASSERT_EQ(with.hf()->tokenizer_files().size(), 1u);
  EXPECT_EQ(with.hf()->tokenizer_files()[0].filename(), "tokenizer.json");
}

TEST_F(CheckpointTest, OneNamedFileOrTheWholeSet) {
  EXPECT_EQ(OpenVector("folder/good_named_file/weights.safetensors").tensors().size(), 1u);
  EXPECT_EQ(OpenVector("folder/good_shard_of_set/model-00002-of-00002.safetensors").shards().size(), 2u);
}

TEST_F(CheckpointTest, FollowsSymbolicLinks) {
  // As the cache of the Hugging Face hub lays models out.
  for (const auto& entry : std::filesystem::directory_iterator(VectorPath("fixture/hf_sharded"))) {
    std::filesystem::create_symlink(entry.path(), folder() / entry.path().filename());
  }
  const auto checkpoint = Checkpoint::Open(folder());
  ASSERT_TRUE(checkpoint) << checkpoint.error().Message();
  EXPECT_EQ(checkpoint->tensors().size(), 3u);
}

TEST_F(CheckpointTest, ReadsATrainedModel) {
  const Path data = Path(ISOVEIL_SOURCE_DIR) / "../shared/data/stories260k";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "shared/data/stories260k is not here";
  for (const char* name : {"hf", "hf/model.safetensors", "stories260k-f32.gguf", "."}) {
    const auto checkpoint = Checkpoint::Open(data / name);
    ASSERT_TRUE(checkpoint) << checkpoint.error().Message();
    // The head is tied.
    EXPECT_EQ(checkpoint->total_bytes(), 260032 * sizeof(float)) << name;
  }
}

}  // namespace
}  // namespace isoveil
