#include "isoveil/package/vector_codec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "isoveil/key/draw.h"

namespace isoveil {
namespace {

ModelKey Key(std::byte fill) {
  SecretBytes secret = SecretBytes::Allocate(32).value();
  std::fill(secret.InsecureMutableBytes().begin(), secret.InsecureMutableBytes().end(), fill);
  return ModelKey(*RootKey::FromSecret(std::move(secret)), {});
}

std::vector<double> Waves(uint64_t n) {
  std::vector<double> values(n);
  for (uint64_t i = 0; i < n; ++i) values[i] = std::sin(static_cast<double>(i) * 0.7 + 1);
  return values;
}

TEST(VectorCodec, DecryptIsTheInverseOfTheActionThatWeightsFollow) {
  const Group groups[] = {Group::Permutation(), Group::SignedPermutation(),    Group::AllowedBy(Profile::kExact),
                          Group::Orthogonal(),  Group::OrthogonalFixingOnes(), Group::Monomial(),
                          Group::Trivial()};
  for (const Group& group : groups) {
    const SpaceRecord space{"residual", 48, group};
    const VectorCodec codec = *VectorCodec::Derive(Key(std::byte{3}), space);
    const std::vector<double> plain = Waves(48);
    std::vector<double> moved = plain, scratch;
    DrawSpace(space, Key(std::byte{3})).Apply(moved.data(), 1, 1, scratch);
    EXPECT_EQ(*codec.Encrypt(plain), moved) << group.Name();
    const std::vector<double> back = *codec.Decrypt(moved);
    const bool exact = group.IsSubgroupOf(Group::AllowedBy(Profile::kExact));
    for (uint64_t i = 0; i < 48; ++i) {
      if (exact)
        EXPECT_EQ(back[i], plain[i]) << group.Name();
      else
        EXPECT_NEAR(back[i], plain[i], 1e-14) << group.Name();
    }
    EXPECT_EQ(moved == plain, group == Group::Trivial()) << group.Name();
  }
}

TEST(VectorCodec, AnotherKeyGivesAnotherVector) {
  const SpaceRecord space{"residual", 48, Group::Permutation()};
  EXPECT_NE(*VectorCodec::Derive(Key(std::byte{3}), space)->Encrypt(Waves(48)),
            *VectorCodec::Derive(Key(std::byte{4}), space)->Encrypt(Waves(48)));
}

TEST(VectorCodec, RefusesWhatDoesNotFit) {
  const VectorCodec codec = *VectorCodec::Derive(Key(std::byte{3}), {"residual", 48, Group::Permutation()});
  const auto longer = codec.Decrypt(Waves(49));
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().Message(), "vector: expected 48 numbers, found 49");
  EXPECT_FALSE(VectorCodec::Derive(Key(std::byte{3}), {"residual", uint64_t{1} << 24, Group::General()}));
}

}  // namespace
}  // namespace isoveil
