// Every hostile input of tests/vectors/format gets the verdict that index.json gives it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "isoveil/format/checkpoint.h"
#include "isoveil/format/hf_index.h"
#include "isoveil/format/vectors_for_test.h"

namespace isoveil {
namespace {

struct Vector {
  std::string file;
  std::string reader;
  std::optional<std::string> error;  // a part of it; none if the file is good
  std::string code;
};

std::vector<Vector> ReadIndex() {
  std::vector<Vector> vectors;
  for (const auto& item : nlohmann::json::parse(ReadVector("index.json"))) {
    Vector vector{item["file"], item["reader"], std::nullopt, item.value("code", "")};
    if (!item["error"].is_null()) vector.error = item["error"].get<std::string>();
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

template <typename T>
std::optional<Error> ErrorOf(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error();
}

std::optional<Error> Read(const Vector& vector) {
  const std::string path = VectorPath(vector.file).string();
  if (vector.reader == "folder") return ErrorOf(Checkpoint::Open(path));
  const std::string text = ReadVector(vector.file);
  const ExactBytes bytes(AsBytes(text));
  if (vector.reader == "gguf") return ErrorOf(GgufFile::Parse(bytes.span(), path));
  if (vector.reader == "safetensors") return ErrorOf(SafetensorsFile::Parse(bytes.span(), path));
  if (vector.reader == "hf_index") return ErrorOf(ParseHfIndex(text, path));
  return Error{ErrorCode::kInvalidArgument, vector.file, "no such reader: " + vector.reader, ""};
}

TEST(Vectors, EachGetsItsVerdict) {
  const std::vector<Vector> vectors = ReadIndex();
  ASSERT_GT(vectors.size(), 200u);
  for (const Vector& vector : vectors) {
    const std::optional<Error> error = Read(vector);
    if (!vector.error) {
      EXPECT_FALSE(error) << vector.file << ": " << (error ? error->Message() : "");
      continue;
    }
    ASSERT_TRUE(error) << vector.file << " was accepted";
    EXPECT_NE(error->Message().find(*vector.error), std::string::npos)
        << vector.file << ": found '" << error->Message() << "', expected '" << *vector.error << "'";
    EXPECT_EQ(ErrorCodeName(error->code), vector.code) << vector.file;
    // The error names the file or folder, and says what to do.
    const Path folder = VectorPath(vector.file).parent_path();
    EXPECT_NE(error->where.find(folder.string()), std::string::npos) << vector.file << ": " << error->where;
  }
}

// A file that was opened and one that was given as bytes are read alike.
TEST(Vectors, OpenAgreesWithParse) {
  for (const Vector& vector : ReadIndex()) {
    const Path path = VectorPath(vector.file);
    const std::optional<Error> parsed = Read(vector);
    std::optional<Error> opened;
    if (vector.reader == "gguf") {
      opened = ErrorOf(GgufFile::Open(path));
    } else if (vector.reader == "safetensors") {
      opened = ErrorOf(SafetensorsFile::Open(path));
    } else {
      continue;
    }
    ASSERT_EQ(opened.has_value(), parsed.has_value()) << vector.file;
    if (opened) {
      EXPECT_EQ(opened->Message(), parsed->Message());
    }
  }
}

}  // namespace
}  // namespace isoveil
