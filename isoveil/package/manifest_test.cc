#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/package/manifest.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

Manifest Whole() {
  Manifest manifest{.key_id = "0011", .architecture = "llama", .n_vocab = 100, .end_of_generation = PlainIds({2, 99})};
  manifest.source_files = {{"model.gguf", 10}};
  manifest.server_files = {{"model.gguf", 11, std::string(64, 'a')}};
  manifest.tensors = {{"w", "F32", {2, 3}, {"perm"}}};
  manifest.drawn = {{"residual", 64, "Perm of 64"}};
  return manifest;
}

std::string With(const std::string& from, const std::string& to) {
  std::string text = Whole().ToJson();
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string ProblemOf(const std::string& text) {
  const auto manifest = Manifest::Parse(text, "m");
  return manifest ? "" : manifest.error().Message();
}

TEST(Manifest, WhatIsWrittenIsReadAgain) {
  const std::string text = Whole().ToJson();
  const auto manifest = Manifest::Parse(text, "m");
  ASSERT_TRUE(manifest) << manifest.error().Message();
  EXPECT_EQ(manifest->ToJson(), text);
  EXPECT_EQ(manifest->end_of_generation, PlainIds({2, 99}));
}

TEST(Manifest, EndsAreIdsOfTheVocabulary) {
  EXPECT_EQ(ProblemOf(With("99", "100")), "m: end_of_generation: expected ids below 100, found 100");
  EXPECT_EQ(ProblemOf(With("99", "4294967298")), "m: end_of_generation: expected ids below 100, found 4294967298");
  EXPECT_NE(ProblemOf(With("99", "-1")), "");
  EXPECT_EQ(ProblemOf(With("\"n_vocab\": 100", "\"n_vocab\": 0")), "m: n_vocab: is out of range");
}

TEST(Manifest, WhatIsUnknownIsRefusedByName) {
  EXPECT_EQ(ProblemOf(With("\"exact\"", "\"sealed\"")), "m: profile: 'sealed' is unknown here");
  EXPECT_EQ(ProblemOf(With("\"gguf\"", "\"onnx\"")), "m: format: 'onnx' is unknown here");
  EXPECT_EQ(ProblemOf(With("\"isoveil_manifest\": 1", "\"isoveil_manifest\": 2")), "m: expected version 1, found 2");
}

TEST(Manifest, IsStrictJson) {
  EXPECT_EQ(ProblemOf(With("\"key_id\": \"0011\"", "\"key_id\": \"0011\", \"key_id\": \"22\"")), "m: key 'key_id' occurs twice");
  EXPECT_EQ(ProblemOf(With("\"0011\"", std::string(1000, '[') + std::string(1000, ']'))), "m: is nested deeper than 64");
}

}  // namespace
}  // namespace isoveil
