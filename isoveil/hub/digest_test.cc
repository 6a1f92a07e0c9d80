#include "isoveil/hub/digest.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

std::string HashOf(HashKind kind, std::string_view text) {
  auto hash = ContentHash::Start(kind, text.size());
  EXPECT_TRUE(hash);
  // In two pieces.
  hash->Update(std::as_bytes(std::span(text.substr(0, text.size() / 2))));
  hash->Update(std::as_bytes(std::span(text.substr(text.size() / 2))));
  return hash->Finish();
}

// FIPS 180-2, and `git hash-object`.
TEST(Digest, KnownValues) {
  EXPECT_EQ(HashOf(HashKind::kSha256, "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashOf(HashKind::kGitBlob, ""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_EQ(HashOf(HashKind::kGitBlob, "hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
}

}  // namespace
}  // namespace isoveil
