#include "isoveil/format/safetensors.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "isoveil/format/vectors_for_test.h"

namespace isoveil {
namespace {

SafetensorsFile OpenFixture(const std::string& name) {
  Result<SafetensorsFile> file = SafetensorsFile::Open(VectorPath("fixture/" + name));
  EXPECT_TRUE(file) << (file ? "" : file.error().Message());
  return file ? *std::move(file) : SafetensorsFile();
}

std::vector<TensorInfo> Infos(const SafetensorsFile& file) {
  std::vector<TensorInfo> infos;
  for (const TensorView& tensor : file.tensors()) infos.push_back(tensor.info);
  return infos;
}

TEST(Safetensors, ReadsEveryType) {
  const SafetensorsFile file = OpenFixture("hf_single/model.safetensors");
  std::set<DType> types;
  std::map<std::string, Shape> shapes;
  for (const TensorView& tensor : file.tensors()) {
    types.insert(tensor.info.type);
    EXPECT_EQ(tensor.bytes.size(), TensorBytes(tensor.info.type, tensor.info.shape)) << tensor.info.name;
    shapes[tensor.info.name] = tensor.info.shape;
  }
  EXPECT_EQ(shapes["none"], (Shape{0, 4}));
  EXPECT_EQ(shapes["scalar"], Shape{});
  EXPECT_EQ(shapes["w.bfloat16"], (Shape{2, 3}));
  EXPECT_EQ(types.size(), 10u);
  EXPECT_EQ(file.tensors().size(), 12u);
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST(Safetensors, WritesTheBytesOfTheOfficialWriter) {
  for (const char* name : {"hf_single/model.safetensors", "hf_sharded/model-00001-of-00002.safetensors",
                           "hf_sharded/model-00002-of-00002.safetensors", "expected.safetensors"}) {
    const SafetensorsFile file = OpenFixture(name);
    const auto layout = LayOutSafetensors(Infos(file), file.metadata());
    ASSERT_TRUE(layout) << layout.error().Message();
    const std::string text = ReadVector(std::string("fixture/") + name);
    ASSERT_EQ(layout->size, text.size()) << name;
    EXPECT_EQ(layout->header, text.substr(0, layout->header.size())) << name;
    EXPECT_EQ(layout->header.size() % 8, 0u);
    for (size_t i = 0; i < layout->offsets.size(); ++i) {
      const TensorView& tensor = file.tensors()[i];
      const auto there = AsBytes(text).subspan(layout->offsets[i], tensor.bytes.size());
      EXPECT_TRUE(std::equal(there.begin(), there.end(), tensor.bytes.begin())) << tensor.info.name;
    }
  }
}

TEST(Safetensors, ReadsWhatItWrites) {
  const std::vector<TensorInfo> infos = {
      {"z", DType::kBF16, {3}}, {"a \"quoted\" \u00e9", DType::kF32, {2, 2}}, {"m", DType::kU8, {}}};
  const std::map<std::string, std::string> metadata = {{"note", "line\nbreak \\ \"q\" \U0001f511"}, {"b", ""}};
  const auto layout = LayOutSafetensors(infos, metadata);
  ASSERT_TRUE(layout) << layout.error().Message();
  std::string text = layout->header;
  text.resize(layout->size);
  const auto file = SafetensorsFile::Parse(AsBytes(text), "memory");
  ASSERT_TRUE(file) << file.error().Message();
  EXPECT_EQ(Infos(*file), infos);
  EXPECT_EQ(file->metadata(), metadata);
  for (size_t i = 0; i < infos.size(); ++i) {
    EXPECT_EQ(file->tensors()[i].bytes.data(), AsBytes(text).data() + layout->offsets[i]);
  }
}

TEST(Safetensors, WriterRefusesWhatAReaderWould) {
  const auto code = [](std::vector<TensorInfo> tensors) {
    const auto layout = LayOutSafetensors(tensors, {});
    return layout ? std::string_view("accepted") : ErrorCodeName(layout.error().code);
  };
  const TensorInfo good{"a", DType::kF32, {2}};
  EXPECT_EQ(code({good}), "accepted");
  EXPECT_EQ(code({}), "accepted");
  EXPECT_EQ(code({good, good}), "invalid_argument");
  EXPECT_EQ(code({{"__metadata__", DType::kF32, {2}}}), "invalid_argument");
  EXPECT_EQ(code({{"a\xff", DType::kF32, {2}}}), "invalid_argument");
  EXPECT_EQ(code({{"a", DType::kQ8_0, {32}}}), "unsupported");
  EXPECT_EQ(code({{"a", DType::kF32, Shape(9, 1)}}), "unsupported");
  EXPECT_EQ(code({{"a", DType::kF32, {uint64_t{1} << 62}}}), "invalid_argument");
  EXPECT_EQ(code({{"a", DType::kU8, {~uint64_t{0}}}, {"b", DType::kU8, {1}}}), "invalid_argument");
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string text = ReadVector("fixture/hf_single/model.safetensors");
  for (size_t n = 0; n < text.size(); ++n) {
    const ExactBytes bytes(AsBytes(text).first(n));
    ASSERT_FALSE(SafetensorsFile::Parse(bytes.span(), "cut")) << n;
  }
}

// Whatever one byte becomes, the reader answers, and what it hands out covers the data.
TEST(Safetensors, NoSingleByteBreaksTheReader) {
  const std::string text = ReadVector("fixture/hf_sharded/model-00001-of-00002.safetensors");
  const ExactBytes bytes(AsBytes(text));
  size_t n_accepted = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::byte original = bytes.span()[i];
    for (int value = 0; value < 256; ++value) {
      bytes.span()[i] = static_cast<std::byte>(value);
      const auto file = SafetensorsFile::Parse(bytes.span(), "damaged");
      if (!file) continue;
      ++n_accepted;
      const TensorView& last = file->tensors().back();
      ASSERT_EQ(last.bytes.data() + last.bytes.size(), bytes.span().data() + bytes.span().size());
    }
    bytes.span()[i] = original;
  }
  EXPECT_GT(n_accepted, 0u);
}

// A large mixture of experts has 90,000 tensors; reading and writing take linear time.
TEST(Safetensors, ManyTensorsAreFast) {
  std::vector<TensorInfo> infos;
  for (int i = 0; i < 100000; ++i) {
    infos.push_back({fmt::format("model.layers.{}.mlp.experts.{}.w", i / 256, i % 256), DType::kU8, {1}});
  }
  const auto start = std::chrono::steady_clock::now();
  const auto layout = LayOutSafetensors(infos, {});
  ASSERT_TRUE(layout);
  std::string text = layout->header;
  text.resize(layout->size);
  const auto file = SafetensorsFile::Parse(AsBytes(text), "large");
  ASSERT_TRUE(file) << file.error().Message();
  EXPECT_EQ(file->tensors().size(), infos.size());
  // 0.3 s on one core of 2020; a quadratic reader takes minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace isoveil
