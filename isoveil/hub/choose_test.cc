#include "isoveil/hub/choose.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

std::vector<HubFile> Listing(const std::vector<std::string>& paths) {
  std::vector<HubFile> files;
  for (const std::string& path : paths) files.push_back({path, 1'000'000'000, HashKind::kSha256, ""});
  return files;
}

// The chosen paths, or the error's code.
std::vector<std::string> Choose(const std::vector<std::string>& paths, const std::vector<std::string>& include = {}) {
  const auto choice = ChooseFiles(Listing(paths), include);
  if (!choice) return {std::string(ErrorCodeName(choice.error().code))};
  std::vector<std::string> chosen;
  for (const HubFile& file : choice->files) chosen.push_back(file.path);
  EXPECT_EQ(choice->bytes, chosen.size() * 1'000'000'000);
  return chosen;
}

using Paths = std::vector<std::string>;

TEST(Choose, OneFileBeforeShardsBeforeOthers) {
  const std::string one = "model-00001-of-00002.safetensors";
  const std::string two = "model-00002-of-00002.safetensors";
  const std::string index = "model.safetensors.index.json";
  EXPECT_EQ(Choose({"model.safetensors", one, two, index}), Paths({"model.safetensors"}));
  EXPECT_EQ(Choose({one, two, index, "consolidated.safetensors"}), Paths({one, two, index}));
  EXPECT_EQ(Choose({"a.safetensors", "b.safetensors", "c/d.safetensors"}), Paths({"a.safetensors", "b.safetensors"}));
}

TEST(Choose, SmallFilesComeFromTheTopOnly) {
  const Paths small = {"LICENSE",        "README.md",       "added_tokens.json",     "chat_template.jinja",
                       "config.json",    "merges.txt",      "model.safetensors",     "special_tokens_map.json",
                       "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json"};
  Paths all = small;
  for (const char* other : {"onnx/config.json", "runs/events.out", "trainer_state.json", "figure.png", ".gitattributes",
                            "modeling_own.py", "pytorch_model.bin", "x.pt", "flax_model.msgpack", "tf_model.h5"}) {
    all.push_back(other);
  }
  EXPECT_EQ(Choose(all), small);
}

TEST(Choose, TheOnlyGguf) {
  EXPECT_EQ(Choose({"m.gguf", "mmproj-m.gguf"}), Paths({"m.gguf"}));
  EXPECT_EQ(Choose({"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}),
            Paths({"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}));
  EXPECT_EQ(Choose({"m-Q4.gguf", "m-Q8.gguf"}), Paths({"invalid_argument"}));
  EXPECT_EQ(Choose({"m-Q4.gguf", "m-Q8.gguf", "model.safetensors"}), Paths({"model.safetensors"}));
}

TEST(Choose, ErrorsListTheChoices) {
  const auto choice = ChooseFiles(Listing({"m-Q4.gguf", "m-Q8.gguf"}), {});
  ASSERT_FALSE(choice);
  EXPECT_NE(choice.error().problem.find("'m-Q4.gguf' (1.00 GB)"), std::string::npos) << choice.error().problem;
  EXPECT_NE(choice.error().problem.find("'m-Q8.gguf'"), std::string::npos);
}

TEST(Choose, PatternsNameWeightsOrAddFiles) {
  const Paths all = {"Q8/m.gguf", "config.json", "docs/a.txt", "m-Q4.gguf", "model.safetensors", "x.bin"};
  EXPECT_EQ(Choose(all, {"*Q8*"}), Paths({"Q8/m.gguf", "config.json"}));
  EXPECT_EQ(Choose(all, {"docs/*"}), Paths({"config.json", "docs/a.txt", "model.safetensors"}));
  EXPECT_EQ(Choose(all, {"*.gguf"}), Paths({"invalid_argument"}));
  EXPECT_EQ(Choose(all, {"*Q4.gguf", "*.safetensors"}), Paths({"invalid_argument"}));
  EXPECT_EQ(Choose(all, {"*Q5*"}), Paths({"invalid_argument"}));
  EXPECT_EQ(Choose(all, {"*.bin"}), Paths({"unsupported"}));
  EXPECT_EQ(Choose(all, {"model.*", "*x*"}), Paths({"config.json", "docs/a.txt", "model.safetensors"}));
}

TEST(Choose, NamesOfThisProgramsOwnFilesAreLeftOut) {
  EXPECT_EQ(Choose({".isoveil-pull", ".isoveil-source.json", "model.safetensors", "x.json"}, {"*"}),
            Paths({"model.safetensors", "x.json"}));
}

TEST(Choose, WithoutWeights) {
  EXPECT_EQ(Choose({"config.json", "pytorch_model.bin"}), Paths({"unsupported"}));
  EXPECT_EQ(Choose({"config.json"}), Paths({"not_found"}));
  EXPECT_EQ(Choose({"unet/model.safetensors"}), Paths({"invalid_argument"}));
  EXPECT_EQ(Choose({"unet/model.safetensors"}, {"unet/*"}), Paths({"unet/model.safetensors"}));
}

TEST(Choose, HostileNamesSpoilTheWholeList) {
  EXPECT_EQ(Choose({"model.safetensors", "../note.txt"}), Paths({"format"}));
  EXPECT_EQ(Choose({"model.safetensors", "x", "x"}), Paths({"format"}));
  EXPECT_EQ(Choose({"model.safetensors", "..\\config.json"}), Paths({"format"}));
  EXPECT_EQ(Choose({"model.safetensors", "run-1\\optimizer.pt"}), Paths({"model.safetensors"}));
}

}  // namespace
}  // namespace isoveil
