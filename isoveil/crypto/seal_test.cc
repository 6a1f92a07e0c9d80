#include "isoveil/crypto/seal.h"

#include <gtest/gtest.h>

#include <string_view>

#include "isoveil/crypto/hash.h"

namespace isoveil {
namespace {

constexpr KdfCost kCheap = {1, KdfCost::kMinMemory};
constexpr std::string_view kHeader = "header";

SecretBytes Secret(std::string_view text) { return *SecretBytes::CopyOf(std::as_bytes(std::span(text))); }

std::span<const std::byte> Header(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string Text(const SecretBytes& secret) {
  return {reinterpret_cast<const char*>(secret.InsecureBytes().data()), secret.size()};
}

// The value of an independent Argon2id (version 0x13, one lane), OpenSSL's through Python's cryptography:
// salt of zeros, 32 bytes.
TEST(DeriveFromPassphrase, IsArgon2id) {
  const Result<SecretBytes> key = DeriveFromPassphrase(Secret("password"), Salt{}, {2, 64 << 10});
  ASSERT_TRUE(key);
  EXPECT_EQ(Hex(key->InsecureBytes()), "ee1461dea25f3ed7f631cef4f28ab0c6aa73e85b3c322b5958c919d197fa663d");
}

TEST(DeriveFromPassphrase, DependsOnPassphraseSaltAndCost) {
  const auto hex = [](std::string_view passphrase, Salt salt, KdfCost cost) {
    return Hex(DeriveFromPassphrase(Secret(passphrase), salt, cost)->InsecureBytes());
  };
  const std::string key = hex("a", Salt{}, kCheap);
  EXPECT_EQ(hex("a", Salt{}, kCheap), key);
  EXPECT_NE(hex("b", Salt{}, kCheap), key);
  EXPECT_NE(hex("a", Salt{std::byte{1}}, kCheap), key);
  EXPECT_NE(hex("a", Salt{}, {2, KdfCost::kMinMemory}), key);
  EXPECT_NE(hex("a", Salt{}, {1, 2 * KdfCost::kMinMemory}), key);
}

TEST(DeriveFromPassphrase, RefusesCostsBeyondTheCaps) {
  for (const KdfCost cost : {KdfCost{0, 1 << 20}, KdfCost{17, 1 << 20}, KdfCost{1, KdfCost::kMinMemory - 1},
                             KdfCost{1, KdfCost::kMaxMemory + 1}, KdfCost{UINT64_MAX, UINT64_MAX}}) {
    const Result<SecretBytes> key = DeriveFromPassphrase(Secret("a"), Salt{}, cost);
    ASSERT_FALSE(key) << cost.passes << " " << cost.memory_bytes;
    EXPECT_EQ(key.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Seal, OpensWithTheSameKeyNonceAndHeader) {
  const SecretBytes key = *SecretBytes::Random(32);
  for (const std::string_view text : {"", "x", "thirty-two bytes of secret text."}) {
    const std::vector<std::byte> box = Seal(key, Nonce{}, Header(kHeader), Secret(text));
    EXPECT_EQ(box.size(), text.size() + 16);
    const Result<SecretBytes> opened = OpenSeal(key, Nonce{}, Header(kHeader), box);
    ASSERT_TRUE(opened);
    EXPECT_EQ(Text(*opened), text);
  }
}

void ExpectRefused(const Result<SecretBytes>& opened) {
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kAuth);
}

TEST(Seal, DoesNotOpenAfterAnyChange) {
  const SecretBytes key = *SecretBytes::Random(32);
  const std::vector<std::byte> box = Seal(key, Nonce{}, Header(kHeader), Secret("secret"));
  ExpectRefused(OpenSeal(*SecretBytes::Random(32), Nonce{}, Header(kHeader), box));
  ExpectRefused(OpenSeal(key, Nonce{std::byte{1}}, Header(kHeader), box));
  ExpectRefused(OpenSeal(key, Nonce{}, Header("Header"), box));
  ExpectRefused(OpenSeal(key, Nonce{}, Header(""), box));
  for (size_t bit = 0; bit < box.size() * 8; ++bit) {
    std::vector<std::byte> changed = box;
    changed[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    ExpectRefused(OpenSeal(key, Nonce{}, Header(kHeader), changed));
  }
  for (size_t size = 0; size < box.size(); ++size) {
    ExpectRefused(OpenSeal(key, Nonce{}, Header(kHeader), std::span(box).first(size)));
  }
}

TEST(FillRandom, FillsAllOfIt) {
  std::array<std::byte, 1000> bytes = {};
  FillRandom(bytes);
  size_t zeros = 0;
  for (const std::byte b : bytes) zeros += b == std::byte{0} ? 1 : 0;
  EXPECT_LT(zeros, 50U);  // 4 are expected
}

}  // namespace
}  // namespace isoveil
