#include "isoveil/package/manifest.h"

#include <gtest/gtest.h>

#include "isoveil/base/token_ids_for_test.h"

namespace isoveil {
namespace {

Manifest Whole() {
  Manifest manifest{
      .key_id = "0011", .architecture = "llama", .ports = TextPorts(100), .end_of_generation = PlainIds({2, 99})};
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
}

TEST(Manifest, WhatIsUnknownIsRefusedByName) {
  EXPECT_EQ(ProblemOf(With("\"exact\"", "\"sealed\"")), "m: profile: 'sealed' is unknown here");
  EXPECT_EQ(ProblemOf(With("\"gguf\"", "\"onnx\"")), "m: format: 'onnx' is unknown here");
  EXPECT_EQ(ProblemOf(With("\"isoveil_manifest\": 2", "\"isoveil_manifest\": 3")),
            "m: expected version 1 or 2, found 3");
  EXPECT_EQ(ProblemOf(With("\"kind\": \"logits\"", "\"kind\": \"smells\"")), "m: kind: 'smells' is unknown here");
  EXPECT_EQ(ProblemOf(With("\"permute\"", "\"fold\"")), "m: space 'vocab': is moved in a way that is unknown here");
}

TEST(Manifest, PortsAndSpacesAreWhatTheyWere) {
  Manifest manifest = Whole();
  manifest.ports.spaces.push_back({"residual", 64, Meet(Group::SignedPermutation(), Group::BlockPermutation(32))});
  manifest.ports.list.push_back({"last_hidden_state", PortKind::kVectors, "residual"});
  manifest.ports.spaces.push_back({"channels", 12, Group::Keeping({.ends = {4, 12}})});
  manifest.ports.list.push_back({"latents", PortKind::kVectors, "channels"});
  const auto read = Manifest::Parse(manifest.ToJson(), "m");
  ASSERT_TRUE(read) << read.error().Message();
  EXPECT_EQ(read->ports, manifest.ports);
  EXPECT_EQ(read->n_vocab(), 100u);
}

TEST(Manifest, LabelsAndTheHeadThatMakesThemAreWhatTheyWere) {
  Manifest manifest = Whole();
  manifest.ports.spaces.push_back({"residual", 64, Group::SignedPermutation()});
  manifest.ports.spaces.push_back({"labels", 2, Group::Trivial()});
  manifest.ports.spaces.push_back({"segments", 2, Group::Trivial()});
  manifest.ports.list.push_back({"token_type_ids", PortKind::kSegments, "segments"});
  manifest.ports.list.push_back({"last_hidden_state", PortKind::kVectors, "residual"});
  manifest.head = ClientHead{.input = "last_hidden_state",
                             .layers = {{"pooler", HeadFunction::kTanh}, {"classifier", HeadFunction::kNone}}};
  for (const LabelFunction function : {LabelFunction::kSoftmax, LabelFunction::kSigmoid, LabelFunction::kNone}) {
    Manifest labelled = manifest;
    labelled.ports.list.push_back({"logits", PortKind::kLabels, "labels", {"no", "yes"}, function});
    const auto read = Manifest::Parse(labelled.ToJson(), "m");
    ASSERT_TRUE(read) << read.error().Message();
    EXPECT_EQ(read->ports, labelled.ports);
    EXPECT_EQ(read->head, manifest.head);
  }
  const auto problem = [&](const std::string& from, const std::string& to) {
    std::string text = manifest.ToJson();
    return ProblemOf(text.replace(text.find(from), from.size(), to));
  };
  EXPECT_EQ(problem("\"tanh\"", "\"sine\""), "m: function: 'sine' is unknown here");
  EXPECT_NE(problem("\"layers\"", "\"strata\""), "");
  EXPECT_EQ(Manifest::Parse(Whole().ToJson(), "m")->head, std::nullopt);
}

TEST(Manifest, SpacesOfPortsAreSound) {
  EXPECT_EQ(ProblemOf(With("\"dim\": 100", "\"dim\": 0")),
            "m: space 'vocab': expected a dimension of 1 to 16777216, found 0");
  EXPECT_EQ(ProblemOf(With("\"granularity\": 1", "\"granularity\": 32")),
            "m: space 'vocab': 100 coordinates are no whole number of runs of 32");
  EXPECT_EQ(ProblemOf(With("\"granularity\": 1", "\"granularity\": 0")),
            "m: space 'vocab': is moved in a way that is unknown here");
  EXPECT_EQ(ProblemOf(With("\"label\": \"vocab\"", "\"label\": \"words\"")),
            "m: port 'input_ids': lies in a space 'vocab' that is not listed");
}

TEST(Manifest, PartitionsCoverTheirSpace) {
  for (const char* ends : {"[]", "[4, 4, 100]", "[50]", "[50, 101]"}) {
    const std::string partition =
        fmt::format("\"granularity\": 1, \"partitions\": [{{\"ends\": {}, \"blocks_move\": false}}]", ends);
    EXPECT_EQ(ProblemOf(With("\"granularity\": 1", partition)),
              "m: space 'vocab': has a partition whose ends do not ascend to 100")
        << ends;
  }
}

TEST(Manifest, VersionOneHadThePortsOfText) {
  std::string text = With("\"isoveil_manifest\": 2", "\"isoveil_manifest\": 1, \"n_vocab\": 100");
  const auto manifest = Manifest::Parse(text, "m");
  ASSERT_TRUE(manifest) << manifest.error().Message();
  EXPECT_EQ(manifest->ports, TextPorts(100));
  text.replace(text.find("\"n_vocab\": 100"), 14, "\"n_vocab\": 0");
  EXPECT_EQ(ProblemOf(text), "m: n_vocab: is out of range");
}

TEST(Manifest, IsStrictJson) {
  EXPECT_EQ(ProblemOf(With("\"key_id\": \"0011\"", "\"key_id\": \"0011\", \"key_id\": \"22\"")),
            "m: key 'key_id' occurs twice");
  EXPECT_EQ(ProblemOf(With("\"0011\"", std::string(1000, '[') + std::string(1000, ']'))),
            "m: is nested deeper than 64");
}

}  // namespace
}  // namespace isoveil
