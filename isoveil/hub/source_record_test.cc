#include "isoveil/hub/source_record.h"

#include "isoveil/base/temp_folder_for_test.h"

namespace isoveil {
namespace {

using SourceRecordTest = TempFolderTest;

SourceRecord Example() {
  SourceRecord record{"owner/name", std::string(40, 'c'), {}};
  record.files["a/b.json"] = {{"a/b.json", 3, HashKind::kGitBlob, std::string(40, '1')}, 0};
  record.files["m.safetensors"] = {{"m.safetensors", uint64_t{1} << 40, HashKind::kSha256, std::string(64, '2')}, 17};
  return record;
}

TEST_F(SourceRecordTest, RoundTrip) {
  ASSERT_TRUE(ReplaceSourceRecord(folder(), SourceRecord{"x/y", "", {}}));
  ASSERT_TRUE(ReplaceSourceRecord(folder(), Example()));
  const auto read = ReadSourceRecord(folder());
  ASSERT_TRUE(read && read->has_value());
  EXPECT_EQ((*read)->repository, "owner/name");
  EXPECT_EQ((*read)->commit, std::string(40, 'c'));
  ASSERT_EQ((*read)->files.size(), 2u);
  EXPECT_EQ((*read)->files.at("a/b.json").file, Example().files.at("a/b.json").file);
  EXPECT_EQ((*read)->files.at("m.safetensors").file, Example().files.at("m.safetensors").file);
  EXPECT_EQ((*read)->files.at("m.safetensors").mtime_ns, 17);
}

TEST_F(SourceRecordTest, FindsOnlyTheSameContent) {
  const SourceRecord record = Example();
  HubFile file = record.files.at("m.safetensors").file;
  EXPECT_NE(record.Find(file), nullptr);
  ++file.size;
  EXPECT_EQ(record.Find(file), nullptr);
}

TEST_F(SourceRecordTest, NoneAndMalformed) {
  const auto none = ReadSourceRecord(folder());
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value());
  const std::string start = R"({"repository": "a/b", "commit": "c", "files": [)";
  EXPECT_TRUE(ParseSourceRecord(start + "]}", "x"));
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"), start, start + "7]}", start + R"({"path": "a"}]})",
        start + R"({"path": "../a", "bytes": 1, "sha256": "0"}]})", start + R"({"path": "a", "bytes": 1}]})",
        start + R"({"path": "a", "bytes": "1", "sha256": "0"}]})", std::string(R"({"repository": 1, "files": []})")}) {
    EXPECT_FALSE(ParseSourceRecord(text, "x")) << text;
  }
}

}  // namespace
}  // namespace isoveil
