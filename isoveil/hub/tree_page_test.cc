#include <gtest/gtest.h>

#include "isoveil/hub/listing.h"

namespace isoveil {
namespace {

const std::string kSha1(40, '1');
const std::string kSha256(64, '2');

std::string Entry(const std::string& fields) { return R"([{"type": "file", "path": "a", )" + fields + "}]"; }

TEST(TreePage, FilesInGitAndLfs) {
  const auto files = ParseTreePage(fmt::format(
      R"([{{"type":"directory","oid":"{0}","size":0,"path":"d"}},)"
      R"({{"type":"file","oid":"{0}","size":7,"path":"d/a.json"}},)"
      R"({{"type":"file","oid":"{0}","size":9,"path":"m.gguf","lfs":{{"oid":"{1}","size":9,"pointerSize":135}}}}])",
      kSha1, kSha256));
  ASSERT_TRUE(files) << files.error().Message();
  EXPECT_EQ(*files, (std::vector<HubFile>{{"d/a.json", 7, HashKind::kGitBlob, kSha1},
                                          {"m.gguf", 9, HashKind::kSha256, kSha256}}));
  EXPECT_TRUE(ParseTreePage("[]"));
}

TEST(TreePage, RefusesOtherForms) {
  EXPECT_TRUE(ParseTreePage(Entry(R"("size": 1, "oid": ")" + kSha1 + "\"")));
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1]"), std::string("[["), Entry(R"("size": 1)"),
        Entry(R"("oid": ")" + kSha1 + "\""), Entry(R"("size": -1, "oid": ")" + kSha1 + "\""),
        Entry(R"("size": 1.5, "oid": ")" + kSha1 + "\""), Entry(R"("size": 1, "oid": ")" + kSha256 + "\""),
        Entry(R"("size": 1, "oid": "/../etc/passwd")"),
        Entry(R"("size": 1, "oid": ")" + kSha1 + R"(", "lfs": {"size": 1, "oid": ")" + kSha1 + "\"}")}) {
    EXPECT_FALSE(ParseTreePage(text)) << text;
  }
}

// The hub is a stranger: neither may its numbers wrap, nor its brackets take the memory.
TEST(TreePage, SizesAndDepthAreBounded) {
  const auto sized = [](const char* size) { return Entry(fmt::format(R"("size": {}, "oid": "{}")", size, kSha1)); };
  EXPECT_TRUE(ParseTreePage(sized("17592186044416")));
  const auto huge = ParseTreePage(sized("18446744073709551615"));
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().Message(),
            "tree entry 'a': expected at most 17592186044416 bytes, found 18446744073709551615");
  const auto deep = ParseTreePage(std::string(1000, '[') + std::string(1000, ']'));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().Message(), "file list: is nested deeper than 64");
}

}  // namespace
}  // namespace isoveil
