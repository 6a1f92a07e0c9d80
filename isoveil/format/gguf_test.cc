#include "isoveil/format/gguf.h"

#include <ggml.h>
#include <gguf.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "isoveil/base/temp_folder_for_test.h"
#include "isoveil/format/safetensors.h"
#include "isoveil/format/vectors_for_test.h"

namespace isoveil {
namespace {

using GgufTest = TempFolderTest;

GgufFile OpenFixture(const std::string& name) {
  Result<GgufFile> file = GgufFile::Open(VectorPath("fixture/" + name));
  EXPECT_TRUE(file) << (file ? "" : file.error().Message());
  return file ? *std::move(file) : GgufFile();
}

std::vector<TensorInfo> Infos(std::span<const TensorView> tensors) {
  std::vector<TensorInfo> infos;
  for (const TensorView& tensor : tensors) infos.push_back(tensor.info);
  return infos;
}

// The file that a layout and the data of `tensors` make.
std::string Assemble(const FileLayout& layout, std::span<const TensorView> tensors) {
  std::string text = layout.header;
  text.resize(layout.size);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto bytes = tensors[i].bytes;
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(text.data()) + layout.offsets[i]);
  }
  return text;
}

// --- files of gguf-py --------------------------------------------------------------------------------------

TEST_F(GgufTest, ReadsEveryValueType) {
  const GgufFile file = OpenFixture("values.gguf");
  const GgufMetadata& m = file.metadata();
  EXPECT_EQ(m.GetString("general.architecture").value(), "llama");
  EXPECT_EQ(std::get<uint8_t>(*m.Find("v.uint8")), 255);
  EXPECT_EQ(std::get<int8_t>(*m.Find("v.int8")), -128);
  EXPECT_EQ(std::get<uint16_t>(*m.Find("v.uint16")), 65535);
  EXPECT_EQ(std::get<int16_t>(*m.Find("v.int16")), -32768);
  EXPECT_EQ(std::get<uint32_t>(*m.Find("v.uint32")), 4294967295u);
  EXPECT_EQ(std::get<int32_t>(*m.Find("v.int32")), INT32_MIN);
  EXPECT_EQ(std::get<float>(*m.Find("v.float32")), 0.1F);
  EXPECT_EQ(std::get<bool>(*m.Find("v.bool")), true);
  EXPECT_EQ(std::get<std::string>(*m.Find("v.string")), "na\u00efve \U0001f511");
  EXPECT_EQ(std::get<uint64_t>(*m.Find("v.uint64")), UINT64_MAX);
  EXPECT_EQ(std::get<int64_t>(*m.Find("v.int64")), INT64_MIN);
  EXPECT_EQ(std::get<double>(*m.Find("v.float64")), 0.1);
  EXPECT_EQ(m.GetIntegers("a.int32").value(), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(m.GetFloats("a.float32").value(), (std::vector<float>{0.5F, -1.5F}));
  EXPECT_EQ(std::get<std::vector<bool>>(*m.Find("a.bool")), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(m.GetStrings("a.string").value(), (std::vector<std::string>{"a", "", "\u010d"}));
  EXPECT_EQ(m.begin()->first, "general.architecture");
}

TEST_F(GgufTest, ReadsShapesSlowestAxisFirst) {
  for (const char* name : {"small_v2.gguf", "small_v3.gguf", "aligned_128.gguf"}) {
    const GgufFile file = OpenFixture(name);
    ASSERT_EQ(file.tensors().size(), 3u) << name;
    EXPECT_EQ(file.tensors()[0].info, (TensorInfo{"token_embd.weight", DType::kF32, {3, 4}}));
    EXPECT_EQ(file.tensors()[2].info, (TensorInfo{"output.weight", DType::kF16, {3, 4}}));
    std::vector<float> values(12);
    ToFloat(DType::kF32, file.tensors()[0].bytes, values);
    EXPECT_EQ(values[5], 5.0F);
    ToFloat(DType::kF16, file.tensors()[2].bytes, values);
    EXPECT_EQ(values[11], 11.0F);
    EXPECT_EQ(file.metadata().GetUnsigned("llama.block_count").value(), 1u);
  }
  EXPECT_EQ(OpenFixture("small_v2.gguf").version(), 2u);
  EXPECT_EQ(OpenFixture("small_v3.gguf").version(), 3u);
  EXPECT_EQ(OpenFixture("small_v3.gguf").alignment(), 32u);
  EXPECT_EQ(OpenFixture("aligned_128.gguf").alignment(), 128u);
  EXPECT_EQ(OpenFixture("aligned_128.gguf").data_offset() % 128, 0u);
}

TEST_F(GgufTest, RefusesBigEndian) {
  const auto file = GgufFile::Open(VectorPath("fixture/big_endian.gguf"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(file.error().problem.find("big-endian"), std::string::npos);
}

// Every type decodes to what gguf-py's own code makes of it.
TEST_F(GgufTest, DecodesEveryTypeAsGgufPyDoes) {
  const GgufFile file = OpenFixture("types.gguf");
  const auto expected = SafetensorsFile::Open(VectorPath("fixture/expected.safetensors"));
  ASSERT_TRUE(expected) << expected.error().Message();
  std::map<std::string, TensorView> by_name;
  for (const TensorView& tensor : expected->tensors()) by_name[tensor.info.name] = tensor;
  ASSERT_EQ(file.tensors().size(), by_name.size());
  ASSERT_EQ(file.tensors().size(), 30u);
  for (const TensorView& tensor : file.tensors()) {
    const TensorView& truth = by_name.at(tensor.info.name);
    ASSERT_EQ(tensor.info.shape, truth.info.shape) << tensor.info.name;
    const size_t n = *ElementCount(tensor.info.shape);
    std::vector<float> found(n);
    std::vector<float> wanted(n);
    ToFloat(tensor.info.type, tensor.bytes, found);
    ToFloat(DType::kF32, truth.bytes, wanted);
    float largest = 0;
    for (float value : wanted) largest = std::max(largest, std::abs(value));
    // gguf-py multiplies and adds in two roundings, ggml may fuse them.
    const float tolerance = IsBlockFormat(tensor.info.type) ? largest * 1e-6F : 0.0F;
    for (size_t i = 0; i < n; ++i) {
      ASSERT_NEAR(found[i], wanted[i], tolerance) << tensor.info.name << " element " << i;
    }
  }
}

TEST_F(GgufTest, ReadsASplit) {
  const auto model = GgufModel::Open(VectorPath("fixture/split-00001-of-00002.gguf"));
  ASSERT_TRUE(model) << model.error().Message();
  ASSERT_EQ(model->shards().size(), 2u);
  EXPECT_EQ(model->shards()[0].file.tensors().size(), 2u);
  EXPECT_EQ(model->shards()[1].file.tensors()[0].info.name, "output.weight");
  EXPECT_EQ(model->metadata().GetString("general.architecture").value(), "llama");
}

// --- the writer --------------------------------------------------------------------------------------------

TEST_F(GgufTest, WritesTheBytesOfGgufPy) {
  for (const char* name : {"small_v3.gguf", "aligned_128.gguf", "values.gguf", "types.gguf",
                           "split-00001-of-00002.gguf", "split-00002-of-00002.gguf"}) {
    const GgufFile file = OpenFixture(name);
    const auto layout = LayOutGguf(file.metadata(), Infos(file.tensors()));
    ASSERT_TRUE(layout) << layout.error().Message();
    std::string expected = ReadVector(std::string("fixture/") + name);
    // gguf-py leaves out the last padding of a file without tensors; llama.cpp writes it.
    if (file.tensors().empty()) expected.resize(layout->size);
    EXPECT_EQ(Assemble(*layout, file.tensors()), expected) << name;
  }
}

struct GgmlDeleter {
  void operator()(gguf_context* context) const { gguf_free(context); }
  void operator()(ggml_context* context) const { ggml_free(context); }
};

TEST_F(GgufTest, WritesTheBytesOfLlamaCpp) {
  const std::unique_ptr<ggml_context, GgmlDeleter> tensors(ggml_init({.mem_size = 1 << 20}));
  const std::unique_ptr<gguf_context, GgmlDeleter> context(gguf_init_empty());
  gguf_set_val_str(context.get(), "general.architecture", "llama");
  gguf_set_val_u16(context.get(), "split.no", 3);
  gguf_set_val_i64(context.get(), "x.i64", -7);
  gguf_set_val_f64(context.get(), "x.f64", 0.1);
  gguf_set_val_bool(context.get(), "x.bool", true);
  const float scores[] = {0.5F, -2.0F};
  gguf_set_arr_data(context.get(), "x.scores", GGUF_TYPE_FLOAT32, scores, 2);
  const int8_t flags[] = {1, 0, 1};
  gguf_set_arr_data(context.get(), "x.flags", GGUF_TYPE_BOOL, flags, 3);
  const char* pieces[] = {"<s>", "", "\u2581a"};
  gguf_set_arr_str(context.get(), "x.pieces", pieces, 3);
  for (const auto& [name, type, rows] :
       {std::tuple("a", GGML_TYPE_F32, 3), {"b", GGML_TYPE_Q8_0, 1}, {"c", GGML_TYPE_Q4_K, 5}}) {
    ggml_tensor* tensor = ggml_new_tensor_2d(tensors.get(), type, 256, rows);
    ggml_set_name(tensor, name);
    for (size_t i = 0; i < ggml_nbytes(tensor); ++i) static_cast<uint8_t*>(tensor->data)[i] = i * 37 & 0xff;
    gguf_add_tensor(context.get(), tensor);
  }
  const Path path = folder() / "c.gguf";
  ASSERT_TRUE(gguf_write_to_file(context.get(), path.c_str(), false));

  const auto file = GgufFile::Open(path);
  ASSERT_TRUE(file) << file.error().Message();
  EXPECT_EQ(file->data_offset(), gguf_get_meta_size(context.get()));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(file->tensors()[i].bytes.size(), gguf_get_tensor_size(context.get(), static_cast<int64_t>(i)));
  }
  const auto layout = LayOutGguf(file->metadata(), Infos(file->tensors()));
  ASSERT_TRUE(layout) << layout.error().Message();
  EXPECT_EQ(Assemble(*layout, file->tensors()), ReadTextFile(path).value());
}

TEST_F(GgufTest, LlamaCppReadsWhatIsWritten) {
  const GgufFile source = OpenFixture("types.gguf");
  const auto layout = LayOutGguf(source.metadata(), Infos(source.tensors()));
  ASSERT_TRUE(layout);
  const Path path = folder() / "types.gguf";
  ASSERT_TRUE(WriteNewFile(path, Assemble(*layout, source.tensors())));
  const std::unique_ptr<gguf_context, GgmlDeleter> context(gguf_init_from_file(path.c_str(), {.no_alloc = true}));
  ASSERT_NE(context, nullptr);
  ASSERT_EQ(gguf_get_n_tensors(context.get()), static_cast<int64_t>(source.tensors().size()));
  for (int64_t i = 0; i < gguf_get_n_tensors(context.get()); ++i) {
    const size_t at = static_cast<size_t>(i);
    EXPECT_EQ(gguf_get_tensor_name(context.get(), i), source.tensors()[at].info.name);
    EXPECT_EQ(gguf_get_data_offset(context.get()) + gguf_get_tensor_offset(context.get(), i), layout->offsets[at]);
  }
}

TEST_F(GgufTest, WriterRefusesWhatAReaderWould) {
  const auto code = [](const std::vector<TensorInfo>& tensors,
                       const std::vector<std::pair<std::string, GgufValue>>& keys = {}) {
    GgufMetadata metadata;
    for (const auto& [key, value] : keys) metadata.Append(key, value);
    const auto layout = LayOutGguf(metadata, tensors);
    return layout ? std::string_view("accepted") : ErrorCodeName(layout.error().code);
  };
  const TensorInfo good{"a", DType::kF32, {2}};
  EXPECT_EQ(code({good}), "accepted");
  EXPECT_EQ(code({good, good}), "invalid_argument");
  EXPECT_EQ(code({{"", DType::kF32, {2}}}), "invalid_argument");
  EXPECT_EQ(code({{"a\n", DType::kF32, {2}}}), "invalid_argument");
  EXPECT_EQ(code({{"a", DType::kU8, {2}}}), "unsupported");
  EXPECT_EQ(code({{"a", DType::kF32, {}}}), "unsupported");
  EXPECT_EQ(code({{"a", DType::kF32, {2, 0}}}), "unsupported");
  EXPECT_EQ(code({{"a", DType::kF32, {1, 1, 1, 1, 1}}}), "unsupported");
  EXPECT_EQ(code({{"a", DType::kQ8_0, {31}}}), "invalid_argument");
  EXPECT_EQ(code({{"a", DType::kI8, {~uint64_t{0}}}}), "invalid_argument");
  EXPECT_EQ(code({{"a", DType::kI8, {uint64_t{1} << 63}}, {"b", DType::kI8, {uint64_t{1} << 63}}}), "invalid_argument");
  EXPECT_EQ(code({}, {{"k", uint8_t{1}}, {"k", uint8_t{1}}}), "invalid_argument");
  EXPECT_EQ(code({}, {{"", uint8_t{1}}}), "invalid_argument");
  EXPECT_EQ(code({}, {{"general.alignment", uint32_t{48}}}), "invalid_argument");
}

// --- metadata ----------------------------------------------------------------------------------------------

TEST_F(GgufTest, MetadataKeepsItsOrder) {
  GgufMetadata m;
  m.Set("b", uint32_t{1});
  m.Set("a", uint32_t{2});
  m.Set("b", std::string("x"));
  EXPECT_EQ(m.begin()->first, "b");
  EXPECT_EQ(m.GetString("b").value(), "x");
  m.Remove("b");
  EXPECT_EQ(m.size(), 1u);
  EXPECT_EQ(m.Find("b"), nullptr);
  m.Remove("absent");
  EXPECT_EQ(m.size(), 1u);
}

TEST_F(GgufTest, GettersCheckTypeAndRange) {
  GgufMetadata m("m.gguf");
  m.Set("big", ~uint64_t{0});
  m.Set("negative", int32_t{-5});
  m.Set("text", std::string("5"));
  m.Set("yes", true);
  m.Set("f", 2.5F);
  m.Set("bigs", std::vector<uint64_t>{1, ~uint64_t{0}});
  m.Set("wide", std::vector<double>{0.5});
  EXPECT_EQ(m.GetUnsigned("big").value(), ~uint64_t{0});
  EXPECT_EQ(m.GetSigned("negative").value(), -5);
  EXPECT_EQ(m.GetFloat("f").value(), 2.5);
  EXPECT_EQ(m.GetFloats("wide").value(), std::vector<float>{0.5F});
  EXPECT_EQ(m.GetBool("yes").value(), true);

  EXPECT_EQ(m.GetSigned("big").error().Message(),
            "m.gguf: key 'big': expected a 64-bit signed integer, found uint64 18446744073709551615");
  EXPECT_EQ(m.GetUnsigned("negative").error().Message(),
            "m.gguf: key 'negative': expected a non-negative integer, found int32 -5");
  EXPECT_EQ(m.GetUnsigned("yes").error().Message(),
            "m.gguf: key 'yes': expected a non-negative integer, found bool true");
  EXPECT_EQ(m.GetUnsigned("f").error().Message(), "m.gguf: key 'f': expected a non-negative integer, found float32");
  EXPECT_EQ(m.GetFloat("negative").error().Message(), "m.gguf: key 'negative': expected a float, found int32 -5");
  EXPECT_EQ(m.GetBool("text").error().Message(), "m.gguf: key 'text': expected bool, found string");
  EXPECT_EQ(m.GetString("bigs").error().Message(), "m.gguf: key 'bigs': expected string, found uint64[]");
  EXPECT_EQ(m.GetStrings("text").error().Message(), "m.gguf: key 'text': expected string[], found string");
  EXPECT_EQ(m.GetFloats("bigs").error().Message(), "m.gguf: key 'bigs': expected float32[], found uint64[]");
  EXPECT_EQ(m.GetIntegers("bigs").error().Message(),
            "m.gguf: key 'bigs': expected 64-bit signed integers, found 18446744073709551615");
  EXPECT_EQ(m.GetIntegers("big").error().Message(),
            "m.gguf: key 'big': expected a list of integers, found uint64 18446744073709551615");
  EXPECT_EQ(m.GetString("absent").error().Message(), "m.gguf: key 'absent': is missing");
  EXPECT_EQ(m.GetString("absent").error().code, ErrorCode::kNotFound);
}

// --- damage ------------------------------------------------------------------------------------------------

TEST_F(GgufTest, EveryTruncationIsRefused) {
  for (const char* name : {"small_v3.gguf", "values.gguf", "types.gguf"}) {
    const std::string text = ReadVector(std::string("fixture/") + name);
    const GgufFile whole = OpenFixture(name);
    // Without tensors the file ends with the last key, else with the last tensor's data.
    const size_t end =
        whole.tensors().empty()
            ? text.find_last_not_of('\0') + 1
            : static_cast<size_t>(whole.tensors().back().bytes.data() + whole.tensors().back().bytes.size() -
                                  (whole.tensors().front().bytes.data() - whole.data_offset()));
    for (size_t n = 0; n < end; ++n) {
      const ExactBytes bytes(AsBytes(text).first(n));
      ASSERT_FALSE(GgufFile::Parse(bytes.span(), name)) << name << " cut to " << n << " bytes of " << end;
    }
    EXPECT_TRUE(GgufFile::Parse(AsBytes(text).first(end), name));
  }
}

// Whatever one byte becomes, the reader answers, and what it hands out lies inside the file.
TEST_F(GgufTest, NoSingleByteBreaksTheReader) {
  const std::string text = ReadVector("fixture/small_v3.gguf");
  const ExactBytes bytes(AsBytes(text));
  size_t n_accepted = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::byte original = bytes.span()[i];
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      bytes.span()[i] = static_cast<std::byte>(value);
      const auto file = GgufFile::Parse(bytes.span(), "damaged");
      if (!file) continue;
      ++n_accepted;
      for (const TensorView& tensor : file->tensors()) {
        ASSERT_GE(tensor.bytes.data(), bytes.span().data());
        ASSERT_LE(tensor.bytes.data() + tensor.bytes.size(), bytes.span().data() + bytes.span().size());
      }
    }
    bytes.span()[i] = original;
  }
  EXPECT_GT(n_accepted, 0u);
}

TEST_F(GgufTest, CopiesKeepTheFileMapped) {
  std::optional<GgufFile> copy;
  {
    const GgufFile file = OpenFixture("small_v3.gguf");
    copy = file;
  }
  std::vector<float> values(12);
  ToFloat(DType::kF32, copy->tensors()[0].bytes, values);
  EXPECT_EQ(values[11], 11.0F);
  copy->Release(copy->tensors()[0].bytes);
  ToFloat(DType::kF32, copy->tensors()[0].bytes, values);
  EXPECT_EQ(values[10], 10.0F);
}

}  // namespace
}  // namespace isoveil
