#include "isoveil/base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "isoveil/base/temp_folder_for_test.h"

namespace isoveil {
namespace {

using FileTest = TempFolderTest;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST_F(FileTest, WritesInAnyOrderAndMapsBack) {
  auto out = OutputFile::Create(folder() / "a", 6);
  ASSERT_TRUE(out);
  ASSERT_TRUE(out->WriteAt(3, Bytes("def")));
  ASSERT_TRUE(out->WriteAt(0, Bytes("abc")));
  ASSERT_TRUE(out->Sync());
  const auto in = MappedFile::Open(folder() / "a");
  ASSERT_TRUE(in);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(in->bytes().data()), in->bytes().size()), "abcdef");
}

TEST_F(FileTest, NeverWritesOutsideTheReservedSize) {
  auto out = OutputFile::Create(folder() / "a", 4);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->WriteAt(2, Bytes("abc")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(out->WriteAt(~uint64_t{0}, Bytes("a")).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FileTest, NeverOverwrites) {
  ASSERT_TRUE(WriteNewFile(folder() / "a", "first", 0600));
  EXPECT_EQ(WriteNewFile(folder() / "a", "second").error().code, ErrorCode::kExists);
  EXPECT_EQ(OutputFile::Create(folder() / "a", 1).error().code, ErrorCode::kExists);
  EXPECT_EQ(*ReadTextFile(folder() / "a"), "first");
  struct stat info = {};
  ASSERT_EQ(::stat((folder() / "a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(FileTest, ReopenChecksTheSize) {
  ASSERT_TRUE(WriteNewFile(folder() / "a", "1234"));
  EXPECT_TRUE(OutputFile::Reopen(folder() / "a", 4));
  EXPECT_EQ(OutputFile::Reopen(folder() / "a", 5).error().code, ErrorCode::kMismatch);
}

TEST_F(FileTest, ErrorsNameThePath) {
  const auto missing = MappedFile::Open(folder() / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().where, (folder() / "missing").string());
  EXPECT_EQ(MappedFile::Open(folder()).error().code, ErrorCode::kFormat);
  ASSERT_TRUE(WriteNewFile(folder() / "big", "0123456789"));
  EXPECT_EQ(ReadTextFile(folder() / "big", 9).error().code, ErrorCode::kFormat);
}

TEST_F(FileTest, AStageAppearsWholeOrNotAtAll) {
  auto stage = Stage::Open(folder() / "out/", Stage::Mode::kFresh);
  ASSERT_TRUE(stage);
  ASSERT_TRUE(WriteNewFile(stage->path() / "a", "text"));
  EXPECT_FALSE(std::filesystem::exists(folder() / "out"));
  ASSERT_TRUE(stage->Publish());
  EXPECT_EQ(*ReadTextFile(folder() / "out" / "a"), "text");
  EXPECT_FALSE(std::filesystem::exists(folder() / "out.partial"));
  EXPECT_EQ(Stage::Open(folder() / "out", Stage::Mode::kFresh).error().code, ErrorCode::kExists);
}

TEST_F(FileTest, PublishDoesNotReplaceWhatAppearedMeanwhile) {
  auto stage = Stage::Open(folder() / "out", Stage::Mode::kFresh);
  ASSERT_TRUE(stage);
  std::filesystem::create_directory(folder() / "out");
  EXPECT_EQ(stage->Publish().error().code, ErrorCode::kExists);
  EXPECT_TRUE(std::filesystem::exists(stage->path()));
}

TEST_F(FileTest, AStageIsResumedOnRequestAndByOneProcessOnly) {
  {
    auto first = Stage::Open(folder() / "out", Stage::Mode::kFresh);
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->resumed());
    EXPECT_EQ(Stage::Open(folder() / "out", Stage::Mode::kResume).error().code, ErrorCode::kUnavailable);
  }
  EXPECT_EQ(Stage::Open(folder() / "out", Stage::Mode::kFresh).error().code, ErrorCode::kExists);
  auto second = Stage::Open(folder() / "out", Stage::Mode::kResume);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->resumed());
  ASSERT_TRUE(second->Discard());
  EXPECT_FALSE(std::filesystem::exists(folder() / "out.partial"));
}

TEST_F(FileTest, AFullDiskIsFoundAtOnceAndLeavesNothing) {
  // No file system here holds an exabyte.
  const auto out = OutputFile::Create(folder() / "huge", uint64_t{1} << 60);
  ASSERT_FALSE(out);
  EXPECT_TRUE(out.error().code == ErrorCode::kNoSpace || out.error().code == ErrorCode::kIo);
  EXPECT_FALSE(std::filesystem::exists(folder() / "huge"));
}

}  // namespace
}  // namespace isoveil
