#include "isoveil/package/vocab_cipher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/key/draw.h"

namespace isoveil {
namespace {

ModelKey Key(std::byte fill, std::byte model = std::byte{1}) {
  ModelIdentity identity;
  identity.fill(model);
  SecretBytes secret = SecretBytes::Allocate(32).value();
  std::fill(secret.InsecureMutableBytes().begin(), secret.InsecureMutableBytes().end(), fill);
  return ModelKey(*RootKey::FromSecret(std::move(secret)), identity);
}

SpaceRecord Vocab(uint64_t n, uint64_t granularity = 1) {
  return {"vocab", n,
          Group::FromMoveNames(Group::Permutation().MoveNames(), granularity).value_or(Group::Permutation())};
}

TEST(VocabCipher, IsABijectionAndDecryptItsInverse) {
  for (const uint64_t n : {1, 2, 3, 256, 1000, 32000}) {
    const VocabCipher cipher = *VocabCipher::Derive(Key(std::byte{7}), Vocab(n));
    std::vector<bool> seen(n);
    for (uint64_t number = 0; number < n; ++number) {
      const auto plain = static_cast<PlainId>(number);
      const WireId sent = *cipher.Encrypt(plain);
      ASSERT_FALSE(seen.at(static_cast<size_t>(sent))) << n;
      seen[static_cast<size_t>(sent)] = true;
      ASSERT_EQ(*cipher.Decrypt(sent), plain);
      ASSERT_EQ(cipher.source()[static_cast<size_t>(sent)], static_cast<uint32_t>(plain));
    }
  }
}

TEST(VocabCipher, DependsOnKeyAndModelAlone) {
  const auto table = [](const ModelKey& key) {
    const VocabCipher cipher = *VocabCipher::Derive(key, Vocab(512));
    return std::vector<uint32_t>(cipher.source().begin(), cipher.source().end());
  };
  const auto one = table(Key(std::byte{7}));
  EXPECT_EQ(one, table(Key(std::byte{7})));
  EXPECT_NE(one, table(Key(std::byte{8})));
  EXPECT_NE(one, table(Key(std::byte{7}, std::byte{2})));
  std::vector<uint32_t> identity(512);
  std::iota(identity.begin(), identity.end(), 0);
  EXPECT_NE(one, identity);
}

// Weights follow DrawSpace, ids this table: the same, or nothing can be read.
TEST(VocabCipher, IsWhatWeightsAreMovedBy) {
  for (const SpaceRecord& space : {Vocab(1000), Vocab(256, 32), SpaceRecord{"vocab", 9, Group::Trivial()}}) {
    const VocabCipher cipher = *VocabCipher::Derive(Key(std::byte{7}), space);
    const auto drawn = DrawSpace(space, Key(std::byte{7})).AsMonomial();
    ASSERT_TRUE(drawn);
    EXPECT_TRUE(std::equal(drawn->source.begin(), drawn->source.end(), cipher.source().begin(), cipher.source().end()));
  }
}

TEST(VocabCipher, KeepsRunsTogether) {
  const VocabCipher cipher = *VocabCipher::Derive(Key(std::byte{7}), Vocab(256, 32));
  for (size_t i = 0; i < 256; ++i) {
    EXPECT_EQ(cipher.source()[i] % 32, i % 32);
    EXPECT_EQ(cipher.source()[i] / 32, cipher.source()[i / 32 * 32] / 32);
  }
}

TEST(VocabCipher, RefusesIdsOutsideOfTheVocabulary) {
  const VocabCipher cipher = *VocabCipher::Derive(Key(std::byte{7}), Vocab(100));
  for (const int64_t number : {int64_t{-1}, int64_t{100}, int64_t{1} << 32, std::numeric_limits<int64_t>::min(),
                               std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(cipher.Encrypt(IdOf<PlainId>(number)).error().code, ErrorCode::kInvalidArgument) << number;
    EXPECT_EQ(cipher.Decrypt(IdOf<WireId>(number)).error().code, ErrorCode::kInvalidArgument) << number;
  }
  const std::vector<PlainId> ids = PlainIds({1, 2, 1234, 3});
  const auto many = cipher.Encrypt(ids);
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().where, "token id at position 2");
  // An id of a text is not for a log.
  EXPECT_EQ(many.error().Message().find("1234"), std::string::npos);
  EXPECT_FALSE(cipher.Decrypt(WireIds({1, 1234})));
}

TEST(VocabCipher, RefusesWhatIsNoPermutation) {
  EXPECT_FALSE(VocabCipher::FromPermutation({0, 1, 1}));
  EXPECT_FALSE(VocabCipher::FromPermutation({0, 1, 3}));
  EXPECT_TRUE(VocabCipher::FromPermutation({2, 0, 1}));
  EXPECT_FALSE(VocabCipher::Derive(Key(std::byte{7}), Vocab(0)));
  EXPECT_FALSE(VocabCipher::Derive(Key(std::byte{7}), Vocab(kMaxVocabulary + 1)));
  EXPECT_FALSE(VocabCipher::Derive(Key(std::byte{7}), Vocab(100, 32)));
  EXPECT_FALSE(VocabCipher::Derive(Key(std::byte{7}), {"vocab", 100, Group::SignedPermutation()}));
}

TEST(VocabCipher, MovesWithoutLosingTheTable) {
  VocabCipher cipher = *VocabCipher::FromPermutation({2, 0, 1});
  VocabCipher other = *VocabCipher::FromPermutation({0});
  other = std::move(cipher);
  EXPECT_EQ(other.n_vocab(), 3u);
  EXPECT_EQ(*other.Encrypt(PlainId{2}), WireId{0});
}

}  // namespace
}  // namespace isoveil
