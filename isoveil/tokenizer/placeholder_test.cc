#include "isoveil/tokenizer/placeholder.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

TEST(Placeholder, NamesAreAllAlikeAndNoneIsAPartOfAnother) {
  for (const uint64_t n : {1, 17, 65536, 65537}) {
    const auto placeholder = *PlaceholderVocabulary::Make(n, WireIds({0}));
    std::set<std::string> names;
    for (uint64_t number = 0; number<n; number += n> 100 ? 97 : 1) {
      const auto id = static_cast<WireId>(number);
      const std::string name = placeholder.Name(id);
      EXPECT_EQ(name.size(), placeholder.Name(WireId{0}).size());
      EXPECT_TRUE(names.insert(name).second);
      EXPECT_EQ(*placeholder.Id(name), id);
    }
  }
  const auto placeholder = *PlaceholderVocabulary::Make(100, {});
  EXPECT_EQ(placeholder.Name(WireId{18}), "t0012");
  for (const char* no : {"", "t", "t012", "t00012", "T0012", "t001G", "t+012", "t0064", "t-001", "t001A", "x0012"}) {
    EXPECT_FALSE(placeholder.Id(no)) << no;
  }
}

TEST(Placeholder, HoldsNothingButNamesAndStops) {
  GgufMetadata metadata;
  ASSERT_TRUE(PlaceholderVocabulary::Make(300, WireIds({9, 4}))->AddTo(metadata));
  const std::set<std::string> allowed = {
      "tokenizer.ggml.model",        "tokenizer.ggml.pre",           "tokenizer.ggml.tokens",
      "tokenizer.ggml.token_type",   "tokenizer.ggml.merges",        "tokenizer.ggml.eos_token_id",
      "tokenizer.ggml.eot_token_id", "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"};
  for (const auto& [key, value] : metadata) EXPECT_TRUE(allowed.contains(key)) << key;
  const auto tokens = *metadata.GetStrings("tokenizer.ggml.tokens");
  ASSERT_EQ(tokens.size(), 300u);
  const std::regex name("t[0-9a-f]{4}");
  for (const std::string& token : tokens) ASSERT_TRUE(std::regex_match(token, name)) << token;
  const auto types = *metadata.GetIntegers("tokenizer.ggml.token_type");
  for (size_t id = 0; id < types.size(); ++id) EXPECT_EQ(types[id], id == 9 || id == 4 ? 3 : 1);
  EXPECT_EQ(*metadata.GetUnsigned("tokenizer.ggml.eos_token_id"), 9u);
  EXPECT_EQ(*metadata.GetUnsigned("tokenizer.ggml.eot_token_id"), 4u);
}

TEST(Placeholder, HoldsNoPieceOfAPlainVocabulary) {
  const Vocabulary plain = *Vocabulary::Load(Path(ISOVEIL_LLAMA_PREFIX) / "models/ggml-vocab-llama-bpe.gguf");
  const auto placeholder = *PlaceholderVocabulary::Make(plain.n_tokens(), WireIds({7}));
  GgufMetadata metadata;
  ASSERT_TRUE(placeholder.AddTo(metadata));
  const auto tokens = *metadata.GetStrings("tokenizer.ggml.tokens");
  const std::set<std::string_view> names(tokens.begin(), tokens.end());
  for (int32_t id = 0; id < static_cast<int32_t>(plain.n_tokens()); ++id) {
    EXPECT_FALSE(names.contains(*plain.Piece(PlainId{id}, true))) << id;
  }
}

TEST(Placeholder, LlamaOpensItAndStopsWhereItShould) {
  GgufMetadata metadata;
  const auto placeholder = *PlaceholderVocabulary::Make(300, WireIds({9, 4, 299, 0, 8, 7, 6, 5}));
  EXPECT_EQ(placeholder.left_to_client(), WireIds({6, 5}));
  ASSERT_TRUE(placeholder.AddTo(metadata));
  const auto vocabulary = Vocabulary::FromMetadata(metadata, "placeholder");
  ASSERT_TRUE(vocabulary) << vocabulary.error().Message();
  EXPECT_EQ(vocabulary->n_tokens(), 300u);
  EXPECT_EQ(vocabulary->special_ids().end_of_generation, PlainIds({0, 4, 7, 8, 9, 299}));
  EXPECT_FALSE(vocabulary->adds_bos());
  for (int32_t number = 0; number < 300; ++number) {
    // To llama.cpp they are a vocabulary like any other.
    const PlainId id{number};
    EXPECT_EQ(*vocabulary->Piece(id, true), placeholder.Name(WireId{number}));
    EXPECT_EQ(vocabulary->Piece(id)->empty(), vocabulary->IsEndOfGeneration(id)) << number;
  }
}

TEST(Placeholder, HfFilesNameEveryId) {
  std::map<std::string, nlohmann::json> files;
  for (const TextFile& file : PlaceholderVocabulary::Make(70000, WireIds({3}))->HfFiles())
    files[file.name] = nlohmann::json::parse(file.text);
  ASSERT_EQ(files.size(), 3u);
  const nlohmann::json& tokenizer = files.at("tokenizer.json");
  EXPECT_EQ(tokenizer["model"]["type"], "WordLevel");
  EXPECT_EQ(tokenizer["model"]["vocab"].size(), 70000u);
  EXPECT_EQ(tokenizer["model"]["vocab"]["t1116f"], 0x1116f);
  EXPECT_TRUE(tokenizer["added_tokens"].empty());
  EXPECT_TRUE(files.at("special_tokens_map.json").empty());
}

TEST(Placeholder, RefusesWhatIsOutOfRangeOrThereAlready) {
  EXPECT_FALSE(PlaceholderVocabulary::Make(0, {}));
  EXPECT_FALSE(PlaceholderVocabulary::Make(kMaxVocabulary + 1, {}));
  EXPECT_FALSE(PlaceholderVocabulary::Make(10, WireIds({10})));
  EXPECT_FALSE(PlaceholderVocabulary::Make(10, WireIds({-1})));
  EXPECT_FALSE(PlaceholderVocabulary::Make(10, WireIds({1, 1})));
  GgufMetadata metadata;
  metadata.Set("tokenizer.chat_template", std::string("plain"));
  EXPECT_EQ(PlaceholderVocabulary::Make(10, WireIds({1}))->AddTo(metadata).error().code, ErrorCode::kExists);
}

}  // namespace
}  // namespace isoveil
