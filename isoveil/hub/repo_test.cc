#include "isoveil/hub/repo.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

TEST(Repo, ParsesNames) {
  for (const char* text : {"gpt2", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "a/b", "_x/y_", "0/1"}) {
    const auto repo = RepoId::Parse(text);
    ASSERT_TRUE(repo) << text;
    EXPECT_EQ(repo->text(), text);
  }
  EXPECT_EQ(RepoId::Parse("owner/name")->name(), "name");
  EXPECT_EQ(RepoId::Parse("gpt2")->name(), "gpt2");
}

TEST(Repo, RefusesOtherNames) {
  for (const char* text :
       {"",      "/",     "a/",   "/b",         "a/b/c",           "..",     "a/..",    "../b",  ".a/b",
        "a/.b",  "a./b",  "a-/b", "a/-b",       "a--b/c",          "a/b..c", "a/b.git", "a b/c", "a/b?x=1",
        "a/b#c", "a%2fb", "a\\b", "\xc3\xa4/b", "https://hub/a/b", "a/b\n"}) {
    EXPECT_FALSE(RepoId::Parse(text)) << Quoted(text);
  }
  EXPECT_TRUE(RepoId::Parse("a/" + std::string(94, 'x')));
  EXPECT_FALSE(RepoId::Parse("a/" + std::string(95, 'x')));
}

TEST(Repo, Revisions) {
  EXPECT_TRUE(CheckRevision("refs/pr/1"));
  EXPECT_TRUE(CheckRevision("v1.0"));
  for (const std::string& text : {std::string(), std::string("a\nb"), std::string("a\0b", 3), std::string(257, 'x')}) {
    EXPECT_FALSE(CheckRevision(text));
  }
}

TEST(Repo, Paths) {
  for (const char* path : {"a", "a/b/c.json", "...", "a..b", ".hidden", "sp ace", "\xc3\xa4"}) {
    EXPECT_TRUE(CheckFilePath(path)) << path;
  }
  for (const std::string& path :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."), std::string(".."),
        std::string("a/.."), std::string("../a"), std::string("a/../b"), std::string("a/./b"), std::string("a\\b"),
        std::string("a\nb"), std::string("a\0b", 3), std::string("\x7f"), std::string(1025, 'x')}) {
    EXPECT_FALSE(CheckFilePath(path)) << Quoted(path);
  }
}

TEST(Repo, Hashes) {
  EXPECT_TRUE(IsGitHash(std::string(40, 'a')));
  EXPECT_FALSE(IsGitHash(std::string(40, 'A')));
  EXPECT_FALSE(IsGitHash(std::string(39, 'a')));
  EXPECT_FALSE(IsGitHash(std::string(40, 'g')));
  EXPECT_TRUE(IsSha256(std::string(64, '0')));
  EXPECT_FALSE(IsSha256(std::string(40, '0')));
}

}  // namespace
}  // namespace isoveil
