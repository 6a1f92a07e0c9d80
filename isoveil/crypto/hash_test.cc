#include "isoveil/crypto/hash.h"

#include <gtest/gtest.h>

#include <vector>

namespace isoveil {
namespace {

SecretBytes Key(size_t size) { return *SecretBytes::Allocate(size); }

Hash256 HashOf(std::string_view text) {
  Hasher hasher;
  hasher.Update(text);
  return hasher.Finish();
}

// Values of Python's hashlib.blake2b(..., digest_size=32).
TEST(Hasher, IsBlake2b256) {
  EXPECT_EQ(Hex(HashOf("")), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(Hex(HashOf("abc")), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Hasher, DoesNotDependOnHowTheTextIsCut) {
  const std::string text(1000, 'x');
  for (const size_t cut : {1, 127, 128, 129, 999}) {
    Hasher hasher;
    hasher.Update(std::string_view(text).substr(0, cut));
    hasher.Update(std::string_view(text).substr(cut));
    EXPECT_EQ(hasher.Finish(), HashOf(text)) << cut;
  }
}

// hashlib.blake2b(b"abc", digest_size=32, key=bytes(32))
TEST(KeyedHash, IsKeyedBlake2b) {
  const Result<SecretBytes> hash = KeyedHash(Key(32), std::as_bytes(std::span(std::string_view("abc"))));
  ASSERT_TRUE(hash);
  EXPECT_EQ(Hex(hash->InsecureBytes()), "bad705ff155af631f38dc6cafdda827a31595c802f3ff585c10691c58944d89b");
}

TEST(KeyedHash, RefusesAKeyOfAnotherSize) {
  for (const size_t size : {0, 16, 31, 33, 64}) {
    const Result<SecretBytes> hash = KeyedHash(Key(size), {});
    ASSERT_FALSE(hash) << size;
    EXPECT_EQ(hash.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ParseHex, ReadsWhatHexWrites) {
  std::vector<std::byte> bytes(256);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  std::vector<std::byte> read(256);
  ASSERT_TRUE(ParseHex(Hex(bytes), read, "field"));
  EXPECT_EQ(read, bytes);
}

TEST(ParseHex, RefusesAnyOtherForm) {
  std::array<std::byte, 2> bytes = {};
  for (const std::string_view hex :
       {"", "0", "00f", "00ff0", "00ff00", "00FF", "0x0f", " 00ff", "00ff ", "00 ff", "00:ff", "00fg"}) {
    const Status status = ParseHex(hex, bytes, "my field");
    ASSERT_FALSE(status) << hex;
    EXPECT_EQ(status.error().code, ErrorCode::kFormat);
    EXPECT_EQ(status.error().where, "my field");
  }
  EXPECT_FALSE(ParseHex(std::string_view("00\0f", 4), bytes, "zero byte"));
}

// FIPS 180-4, example 1.
TEST(HashTest, Sha256KnownAnswer) {
  EXPECT_EQ(Hex(Sha256(std::as_bytes(std::span<const char>("abc", 3)))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace isoveil
