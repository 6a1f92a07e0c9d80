#include "isoveil/key/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "isoveil/base/temp_folder_for_test.h"
#include "isoveil/crypto/hash.h"

namespace isoveil {
namespace {

constexpr KdfCost kCheap = {1, KdfCost::kMinMemory};

SecretBytes Secret(std::string_view text) { return SecretBytes::CopyOf(std::as_bytes(std::span(text))).value(); }

class KeyFileTest : public TempFolderTest {
 protected:
  const Path path_ = folder() / "my.key";
  const RootKey key_ = RootKey::Generate().value();

  // Reads back what stands in a file, as a test may.
  std::string Text() const { return ReadTextFile(path_).value(); }
};

void ExpectSameKey(const Result<RootKey>& opened, const RootKey& key) {
  ASSERT_TRUE(opened) << opened.error().Message();
  EXPECT_EQ(opened->key_id(), key.key_id());
  EXPECT_TRUE(ConstantTimeEqual(opened->secret().InsecureBytes(), key.secret().InsecureBytes()));
}

TEST_F(KeyFileTest, SealedKeyOpensWithItsPassphraseAlone) {
  ASSERT_TRUE(WriteKeyFile(path_, key_, Secret("correct horse"), kCheap));
  ExpectSameKey(OpenKeyFile(path_, Secret("correct horse")), key_);
  for (const std::string_view wrong : {"correct horsf", "correct hors", "Correct horse", ""}) {
    const Result<RootKey> opened = OpenKeyFile(path_, Secret(wrong));
    ASSERT_FALSE(opened) << wrong;
    EXPECT_EQ(opened.error().code, ErrorCode::kAuth);
    EXPECT_EQ(opened.error().where, path_.string() + ": passphrase");
  }
}

TEST_F(KeyFileTest, SealedFileDoesNotHoldTheRoot) {
  ASSERT_TRUE(WriteKeyFile(path_, key_, Secret("p"), kCheap));
  EXPECT_EQ(Text().find(Hex(key_.secret().InsecureBytes()).substr(0, 16)), std::string::npos);
}

// The same root and passphrase are sealed with another salt and nonce each time.
TEST_F(KeyFileTest, NoTwoSealsAreAlike) {
  ASSERT_TRUE(WriteKeyFile(path_, key_, Secret("p"), kCheap));
  ASSERT_TRUE(WriteKeyFile(folder() / "again.key", key_, Secret("p"), kCheap));
  const std::string other = ReadTextFile(folder() / "again.key").value();
  for (const std::string_view field : {"salt=", "nonce: ", "root: "}) {
    EXPECT_NE(Text().substr(Text().find(field), 30), other.substr(other.find(field), 30)) << field;
  }
}

TEST_F(KeyFileTest, ClearKeyOpensWithoutAPassphrase) {
  ASSERT_TRUE(WriteKeyFile(path_, key_, std::nullopt));
  ExpectSameKey(OpenKeyFile(path_, std::nullopt), key_);
  ExpectSameKey(OpenKeyFile(path_, Secret("not looked at")), key_);
}

TEST_F(KeyFileTest, HeaderIsReadWithoutThePassphrase) {
  ASSERT_TRUE(WriteKeyFile(path_, key_, Secret("p"), {2, 16384}));
  const Result<KeyFileHeader> header = ReadKeyFileHeader(path_);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->key_id, key_.key_id());
  EXPECT_TRUE(header->sealed);
  EXPECT_EQ(header->cost.passes, 2U);
  EXPECT_EQ(header->cost.memory_bytes, 16384U);
  EXPECT_EQ(header->created.size(), 10U);

  ASSERT_TRUE(WriteKeyFile(folder() / "clear.key", key_, std::nullopt));
  EXPECT_FALSE(ReadKeyFileHeader(folder() / "clear.key")->sealed);
}

TEST_F(KeyFileTest, FileIsSmallAndPrivateWhateverTheUmask) {
  const mode_t before = ::umask(0);
  const Status written = WriteKeyFile(path_, key_, Secret("p"), kCheap);
  ::umask(before);
  ASSERT_TRUE(written);
  struct stat info = {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_LT(info.st_size, 1024);
}

TEST_F(KeyFileTest, NothingIsOverwritten) {
  ASSERT_TRUE(WriteNewFile(path_, "precious"));
  const Status written = WriteKeyFile(path_, key_, std::nullopt);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kExists);
  EXPECT_EQ(Text(), "precious");
}

TEST_F(KeyFileTest, RefusedWritesLeaveNoFile) {
  const auto refused = [&](SecretBytes passphrase, KdfCost cost) {
    const Status written = WriteKeyFile(path_, key_, std::move(passphrase), cost);
    EXPECT_FALSE(std::filesystem::exists(path_));
    return !written && written.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(Secret(""), kCheap));
  EXPECT_TRUE(refused(Secret("p"), {17, KdfCost::kMinMemory}));
  EXPECT_TRUE(refused(Secret("p"), {1, KdfCost::kMaxMemory + 1}));
}

TEST_F(KeyFileTest, ClearKeyThatOthersMayReadIsRefusedWithTheCommandThatHelps) {
  ASSERT_TRUE(WriteKeyFile(path_, key_, std::nullopt));
  std::filesystem::permissions(path_, static_cast<std::filesystem::perms>(0644));
  const Result<RootKey> opened = OpenKeyFile(path_, std::nullopt);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kAuth);
  EXPECT_EQ(opened.error().hint, "chmod 600 " + path_.string());
  EXPECT_TRUE(ReadKeyFileHeader(path_));
}

TEST_F(KeyFileTest, MissingFilesAndFoldersAreNamed) {
  const Result<RootKey> missing = OpenKeyFile(path_, std::nullopt);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().where, path_.string());
  EXPECT_FALSE(OpenKeyFile(folder(), std::nullopt));
  EXPECT_EQ(WriteKeyFile(folder() / "none" / "my.key", key_, std::nullopt).error().code, ErrorCode::kNotFound);
}

TEST_F(KeyFileTest, IsKeyFileLooksAtTheBeginning) {
  EXPECT_FALSE(IsKeyFile(path_));
  ASSERT_TRUE(WriteKeyFile(path_, key_, std::nullopt));
  EXPECT_TRUE(IsKeyFile(path_));
  ASSERT_TRUE(WriteNewFile(folder() / "other", "isoveil-ke"));
  EXPECT_FALSE(IsKeyFile(folder() / "other"));
  ASSERT_TRUE(WriteNewFile(folder() / "newer", "isoveil-key 9\nwhatever"));
  EXPECT_TRUE(IsKeyFile(folder() / "newer"));
}

TEST(ParseKeyFileHeader, RefusesBytesThatAreNoText) {
  for (const std::string& text :
       {std::string(200, '\0'), std::string("isoveil-key 1\n\0", 15), std::string("isoveil-key 1\nkey-id: \xff\n")}) {
    const Result<KeyFileHeader> header = ParseKeyFileHeader(text, "file");
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().code, ErrorCode::kFormat);
    for (const char c : header.error().Message()) EXPECT_GE(c, ' ');
  }
}

TEST(RootKey, GeneratesDifferentKeys) { EXPECT_NE(RootKey::Generate()->key_id(), RootKey::Generate()->key_id()); }

TEST(RootKey, Has32Bytes) {
  for (const size_t size : {0, 31, 33}) {
    const Result<RootKey> key = RootKey::FromSecret(SecretBytes::Allocate(size).value());
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, ErrorCode::kFormat);
  }
}

}  // namespace
}  // namespace isoveil
