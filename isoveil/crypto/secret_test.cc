#include "isoveil/crypto/secret.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>
#include <vector>

namespace isoveil {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes>);

std::vector<std::byte> Bytes(const SecretBytes& secret) {
  return {secret.InsecureBytes().begin(), secret.InsecureBytes().end()};
}

TEST(SecretBytes, AllocateGivesZeros) {
  const Result<SecretBytes> secret = SecretBytes::Allocate(100);
  ASSERT_TRUE(secret);
  EXPECT_EQ(Bytes(*secret), std::vector<std::byte>(100));
}

TEST(SecretBytes, MovesTheBytesAndLeavesNone) {
  std::array<std::byte, 3> bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
  SecretBytes first = *SecretBytes::CopyOf(bytes);
  SecretBytes second = std::move(first);
  EXPECT_EQ(first.size(), 0U);  // NOLINT(bugprone-use-after-move): its state is specified
  EXPECT_EQ(Bytes(second), std::vector<std::byte>(bytes.begin(), bytes.end()));
  SecretBytes third = *SecretBytes::Allocate(7);
  third = std::move(second);
  EXPECT_EQ(Bytes(third), std::vector<std::byte>(bytes.begin(), bytes.end()));
}

TEST(SecretBytes, MayBeEmpty) {
  const Result<SecretBytes> secret = SecretBytes::CopyOf({});
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->size(), 0U);
}

// Two equal draws of 32 bytes come once in 2^256 times.
TEST(SecretBytes, RandomDiffersEachTime) {
  EXPECT_NE(Bytes(*SecretBytes::Random(32)), Bytes(*SecretBytes::Random(32)));
}

TEST(SecretBytes, RefusesWhatNoMemoryHolds) {
  const Result<SecretBytes> secret = SecretBytes::Allocate(SIZE_MAX / 2);
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code, ErrorCode::kNoMemory);
}

// Sanitizers make mlock succeed without a call and keep their own shadow of guard pages.
#ifdef __has_feature  // Clang's way to tell
#define ISOVEIL_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#else
#define ISOVEIL_ADDRESS_SANITIZER 0
#endif
#if !ISOVEIL_ADDRESS_SANITIZER && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(SecretBytesDeathTest, GuardPageStopsAReadPastTheEnd) {
  const SecretBytes secret = *SecretBytes::Allocate(32);
  EXPECT_DEATH(
      {
        volatile const std::byte* end = secret.InsecureBytes().data() + 32;
        [[maybe_unused]] const std::byte beyond = *end;
      },
      "");
}

// In a child process: a privileged one keeps the right to lock, whatever the limit says, until it gives its
// privileges up.
TEST(SecretBytesDeathTest, TellsWhenTheSystemRefusesToLock) {
  EXPECT_EXIT(
      {
        rlimit none = {};
        ::setrlimit(RLIMIT_MEMLOCK, &none);
        if (::geteuid() == 0 && ::setuid(65534) != 0) ::exit(3);
        const Result<SecretBytes> secret = SecretBytes::Random(32);
        ::exit(secret && secret->size() == 32 && !secret->locked() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}
#endif

TEST(ConstantTimeEqual, ComparesBytesAndSizes) {
  const std::array<std::byte, 3> a = {std::byte{1}, std::byte{2}, std::byte{3}};
  for (size_t i = 0; i < a.size(); ++i) {
    std::array<std::byte, 3> b = a;
    EXPECT_TRUE(ConstantTimeEqual(a, b));
    b[i] ^= std::byte{0x80};
    EXPECT_FALSE(ConstantTimeEqual(a, b)) << i;
  }
  EXPECT_FALSE(ConstantTimeEqual(a, std::span(a).first(2)));
  EXPECT_TRUE(ConstantTimeEqual({}, {}));
}

TEST(Wipe, LeavesZeros) {
  std::vector<std::byte> bytes(50, std::byte{7});
  Wipe(bytes);
  EXPECT_EQ(bytes, std::vector<std::byte>(50));
}

}  // namespace
}  // namespace isoveil
