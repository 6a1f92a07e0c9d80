#include "isoveil/format/hf_sentence.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace isoveil {
namespace {

class HfSentence : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = Path(testing::TempDir()) / fmt::format("sentence-{}", ::getpid());
    std::filesystem::create_directories(folder_ / "1_Pooling");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Put(const char* name, const std::string& text) {
    std::filesystem::remove(folder_ / name);
    ASSERT_TRUE(WriteNewFile(folder_ / name, text));
  }
  Result<SentenceModules> Read() const { return SentenceModules::Read(folder_); }

  Path folder_;
};

constexpr const char* kThree =
    R"([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])";

TEST_F(HfSentence, AFolderWithoutItSaysNothing) {
  const auto read = Read();
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->pooling);
  EXPECT_TRUE(read->Warnings().empty());
  EXPECT_TRUE(read->Write(48).empty());
  EXPECT_TRUE(SentenceModules::Files(folder_).empty());
}

TEST_F(HfSentence, PoolingInBothSpellings) {
  const std::vector<std::pair<std::string, Pooling>> cases = {
      {R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})", Pooling::kFirst},
      {R"({"pooling_mode_mean_tokens": true, "include_prompt": true})", Pooling::kMean},
      {R"({"pooling_mode_lasttoken": true})", Pooling::kLast},
      {R"({"pooling_mode": "cls"})", Pooling::kFirst}};
  for (const auto& [text, pooling] : cases) {
    Put("1_Pooling/config.json", text);
    const auto read = Read();
    ASSERT_TRUE(read) << read.error().Message();
    EXPECT_EQ(read->pooling, pooling) << text;
    EXPECT_TRUE(read->others.empty()) << text;
  }
}

TEST_F(HfSentence, WhatHasNoRuleIsNamed) {
  Put("modules.json", R"([{"type": "sentence_transformers.models.Dense"}, {"type": "Transformer"}])");
  Put("1_Pooling/config.json", R"({"pooling_mode_max_tokens": true})");
  const auto read = Read();
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->pooling);
  EXPECT_EQ(read->others, (std::vector<std::string>{"Dense", "pooling max_tokens"}));
  ASSERT_EQ(read->Warnings().size(), 2U);
  EXPECT_EQ(read->Warnings()[0],
            "modules.json: Dense is no part of the encrypted model: apply it to the decrypted vectors");
  // Two at once make a vector of twice the width.
  Put("1_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})");
  EXPECT_EQ(Read()->others.back(), "pooling mean_tokens");
}

TEST_F(HfSentence, WhatIsWrittenIsReadAgain) {
  Put("modules.json", kThree);
  Put("1_Pooling/config.json", R"({"word_embedding_dimension": 384, "pooling_mode_mean_tokens": true})");
  const auto read = Read();
  ASSERT_TRUE(read) << read.error().Message();
  EXPECT_TRUE(read->scales);
  for (const auto& [name, text] : read->Write(384)) Put(name.c_str(), text);
  const auto again = Read();
  ASSERT_TRUE(again) << again.error().Message();
  EXPECT_EQ(again->pooling, Pooling::kMean);
  EXPECT_TRUE(again->scales);
  EXPECT_EQ(SentenceModules::Files(folder_).size(), 2U);
}

TEST_F(HfSentence, ADamagedFileIsNamed) {
  for (const char* text : {"", "7", "{}", "[7]", "[{}]", R"([{"type": 7}])"}) {
    Put("modules.json", text);
    const auto read = Read();
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.error().Message().find("modules.json"), std::string::npos) << read.error().Message();
  }
  Put("modules.json", kThree);
  for (const char* text : {"[]", R"({"pooling_mode": 7})", R"({"pooling_mode_cls_token": 1})"}) {
    Put("1_Pooling/config.json", text);
    const auto read = Read();
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.error().Message().find("1_Pooling"), std::string::npos) << read.error().Message();
  }
}

}  // namespace
}  // namespace isoveil
