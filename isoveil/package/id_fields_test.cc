#include "isoveil/package/id_fields.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kVocab = 50;

// Encrypt(id) = (id + 1) % 50, so that every id moves.
VocabCipher Shift() {
  std::vector<uint32_t> source(kVocab);
  for (uint32_t i = 0; i < kVocab; ++i) source[i] = static_cast<uint32_t>((i + kVocab - 1) % kVocab);
  return *VocabCipher::FromPermutation(std::move(source));
}

ordered_json Encrypted(ordered_json json) {
  const Status status = EncryptIdFields(Shift(), IdFormat::kHfConfig, json, "config.json");
  EXPECT_TRUE(status) << status.error().Message();
  return json;
}

struct Place {
  const char* before;
  const char* after;
};

class HfPlaces : public testing::TestWithParam<Place> {};

TEST_P(HfPlaces, Moves) {
  EXPECT_EQ(Encrypted(ordered_json::parse(GetParam().before)), ordered_json::parse(GetParam().after));
}

INSTANTIATE_TEST_SUITE_P(
    All, HfPlaces,
    testing::Values(Place{R"({"bos_token_id": 1})", R"({"bos_token_id": 2})"},
                    Place{R"({"eos_token_id": 2})", R"({"eos_token_id": 3})"},
                    Place{R"({"eos_token_id": [2, 7, 49]})", R"({"eos_token_id": [3, 8, 0]})"},
                    Place{R"({"pad_token_id": 0})", R"({"pad_token_id": 1})"},
                    Place{R"({"unk_token_id": 4})", R"({"unk_token_id": 5})"},
                    Place{R"({"sep_token_id": 4})", R"({"sep_token_id": 5})"},
                    Place{R"({"cls_token_id": 4})", R"({"cls_token_id": 5})"},
                    Place{R"({"mask_token_id": 4})", R"({"mask_token_id": 5})"},
                    Place{R"({"decoder_start_token_id": 4})", R"({"decoder_start_token_id": 5})"},
                    Place{R"({"forced_bos_token_id": 4})", R"({"forced_bos_token_id": 5})"},
                    Place{R"({"forced_eos_token_id": [4, 5]})", R"({"forced_eos_token_id": [5, 6]})"},
                    Place{R"({"suppress_tokens": [1, 9]})", R"({"suppress_tokens": [2, 10]})"},
                    Place{R"({"begin_suppress_tokens": [9]})", R"({"begin_suppress_tokens": [10]})"},
                    Place{R"({"bad_words_ids": [[1, 2], [3]]})", R"({"bad_words_ids": [[2, 3], [4]]})"},
                    Place{R"({"force_words_ids": [[1], [2, 3]]})", R"({"force_words_ids": [[2], [3, 4]]})"},
                    Place{R"({"forced_decoder_ids": [[1, 9], [2, null]]})",
                          R"({"forced_decoder_ids": [[1, 10], [2, null]]})"},
                    Place{R"({"sequence_bias": [[[1, 2], -0.5]]})", R"({"sequence_bias": [[[2, 3], -0.5]]})"},
                    Place{R"({"image_token_index": 3})", R"({"image_token_index": 4})"},
                    Place{R"({"text_config": {"deeper": {"eos_token_id": 2}}})",
                          R"({"text_config": {"deeper": {"eos_token_id": 3}}})"},
                    Place{R"({"eos_token_id": null, "suppress_tokens": [], "pad_token_id": -1})",
                          R"({"eos_token_id": null, "suppress_tokens": [], "pad_token_id": -1})"},
                    // Beyond the table, as some folders have it.
                    Place{R"({"pad_token_id": 50, "vocab_size": 50})", R"({"vocab_size": 50})"},
                    Place{R"({"hidden_size": 12, "layers": [1, 2]})", R"({"hidden_size": 12, "layers": [1, 2]})"}));

TEST(IdFields, EveryFieldOfTheTableMoves) {
  for (const IdField& field : HfIdFields()) {
    ordered_json value = 7;
    if (field.shape == IdShape::kIdLists) value = ordered_json::array({{7}});
    if (field.shape == IdShape::kPositionPairs) value = ordered_json::array({{7, 7}});
    if (field.shape == IdShape::kSequenceBias) value = ordered_json::parse("[[[7], 7]]");
    ordered_json json;
    json[std::string(field.name)] = value;
    EXPECT_NE(Encrypted(json), json) << field.name;
  }
}

TEST(IdFields, EveryGgufFieldMoves) {
  std::set<std::string_view> names;
  for (const IdField& field : GgufIdFields()) {
    GgufMetadata single;
    single.Set(field.name, uint32_t{49});
    single.Set("general.name", std::string("x"));
    ASSERT_TRUE(EncryptIdFields(Shift(), single, "model.gguf"));
    EXPECT_EQ(*single.GetUnsigned(field.name), 0u) << field.name;
    EXPECT_EQ(*single.GetString("general.name"), "x");
    GgufMetadata list;
    list.Set(field.name, std::vector<int32_t>{3, 49});
    ASSERT_TRUE(EncryptIdFields(Shift(), list, "model.gguf"));
    EXPECT_EQ(*list.GetIntegers(field.name), (std::vector<int64_t>{4, 0})) << field.name;
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
  }
}

TEST(IdFields, UnknownPlacesAreRefusedByName) {
  for (const char* text :
       {R"({"audio_token_id": 3})", R"({"vision_end_token_ids": [3]})", R"({"x_tokens_ids": 1})",
        R"({"video_token_index": 3})", R"({"my_suppress_tokens": [3]})", R"({"text_config": {"audio_token_id": 3}})"}) {
    ordered_json json = ordered_json::parse(text);
    const ordered_json before = json;
    const Status status = EncryptIdFields(Shift(), IdFormat::kHfConfig, json, "config.json");
    ASSERT_FALSE(status) << text;
    EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(status.error().where.find("config.json: "), std::string::npos);
    EXPECT_EQ(json, before);
  }
  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.audio_token_id", uint32_t{1});
  EXPECT_EQ(EncryptIdFields(Shift(), metadata, "m").error().code, ErrorCode::kUnsupported);
}

TEST(IdFields, NothingIsWrittenWhenAnythingFails) {
  for (const char* bad :
       {R"({"bos_token_id": 1, "eos_token_id": 50})", R"({"bos_token_id": 1, "eos_token_id": -2})",
        R"({"bos_token_id": 1, "eos_token_id": "2"})", R"({"bos_token_id": 1, "eos_token_id": 2.5})",
        R"({"bos_token_id": 1, "eos_token_id": {"a": 1}})", R"({"bos_token_id": 1, "eos_token_id": [1, 99]})",
        R"({"bos_token_id": 1, "eos_token_id": 18446744073709551615})", R"({"bos_token_id": 1, "bad_words_ids": 7})",
        R"({"bos_token_id": 1, "bad_words_ids": [7]})", R"({"bos_token_id": 1, "forced_decoder_ids": [[1]]})",
        R"j({"bos_token_id": 1, "sequence_bias": {"(1, 2)": -1.0}})j"}) {
    ordered_json json = ordered_json::parse(bad);
    const ordered_json before = json;
    const Status status = EncryptIdFields(Shift(), IdFormat::kHfConfig, json, "config.json");
    ASSERT_FALSE(status) << bad;
    EXPECT_EQ(status.error().code, ErrorCode::kFormat) << bad;
    EXPECT_EQ(json, before) << bad;
  }
  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.bos_token_id", uint32_t{1});
  metadata.Set("tokenizer.ggml.eos_token_id", uint32_t{50});
  EXPECT_FALSE(EncryptIdFields(Shift(), metadata, "m"));
  EXPECT_EQ(*metadata.GetUnsigned("tokenizer.ggml.bos_token_id"), 1u);
  metadata.Set("tokenizer.ggml.eos_token_id", std::string("2"));
  EXPECT_FALSE(EncryptIdFields(Shift(), metadata, "m"));
}

}  // namespace
}  // namespace isoveil
