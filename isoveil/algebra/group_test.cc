#include "isoveil/algebra/group.h"

#include <gtest/gtest.h>

#include <vector>

namespace isoveil {
namespace {

std::vector<Group> SomeGroups() {
  std::vector<Group> groups = {Group::General(),
                               Group::Orthogonal(),
                               Group::OrthogonalFixingOnes(),
                               Group::Monomial(),
                               Group::PositiveMonomial(),
                               Group::SignedPermutation(),
                               Group::Permutation(),
                               Group::RopeScalars(),
                               Group::PairSigns(),
                               Group::Trivial(),
                               Group::BlockPermutation(32),
                               Group::BlockPermutation(256),
                               Group::Keeping(Partition::Uniform(24, 6, Partition::Blocks::kMove)),
                               Group::Keeping(Partition::Uniform(24, 3, Partition::Blocks::kStay)),
                               Group::Keeping({.ends = {10, 24}}),
                               Group::AllowedBy(Profile::kExact),
                               Group::AllowedBy(Profile::kRotated)};
  return groups;
}

TEST(GroupTest, MeetIsALattice) {
  for (const Group& a : SomeGroups()) {
    EXPECT_EQ(Meet(a, a), a);
    EXPECT_EQ(Meet(a, Group::General()), a);
    for (const Group& b : SomeGroups()) {
      EXPECT_EQ(Meet(a, b), Meet(b, a));
      EXPECT_TRUE(Meet(a, b).IsSubgroupOf(a));
      for (const Group& c : SomeGroups()) EXPECT_EQ(Meet(Meet(a, b), c), Meet(a, Meet(b, c)));
    }
  }
}

TEST(GroupTest, NamedMeets) {
  EXPECT_EQ(Meet(Group::Orthogonal(), Group::Monomial()), Group::SignedPermutation());
  EXPECT_EQ(Meet(Group::OrthogonalFixingOnes(), Group::Monomial()), Group::Permutation());
  EXPECT_EQ(Meet(Group::Orthogonal(), Group::PositiveMonomial()), Group::Permutation());
  EXPECT_EQ(Meet(Group::BlockPermutation(32), Group::BlockPermutation(48)).granularity(), 96);
  EXPECT_TRUE(Group::OrthogonalFixingOnes().IsSubgroupOf(Group::Orthogonal()));
  EXPECT_FALSE(Group::Orthogonal().IsSubgroupOf(Group::OrthogonalFixingOnes()));
}

TEST(GroupTest, ExactKeepsOnlyMovesThatKeepBits) {
  const Group exact = Group::AllowedBy(Profile::kExact);
  for (const Move move : {Move::kScale, Move::kMixOnes, Move::kMix, Move::kShear, Move::kTurn, Move::kPairScale}) {
    EXPECT_FALSE(exact.Has(move));
  }
}

TEST(GroupTest, PartitionsMeetInAllThatNoOtherImplies) {
  const Partition moving = Partition::Uniform(24, 6, Partition::Blocks::kMove);
  const Partition fine = Partition::Uniform(24, 3, Partition::Blocks::kStay);
  const Partition seam{.ends = {10, 24}};
  EXPECT_EQ(Meet(Group::Keeping(moving), Group::Keeping(fine)), Group::Keeping(fine))
      << "fixed blocks fix what they make up";
  EXPECT_EQ(Meet(Group::Keeping(moving), Group::Keeping(seam)).partitions().size(), 2u);
  EXPECT_EQ(Meet(Group::Keeping(moving), Group::Orthogonal()), Group::Keeping(moving));
  EXPECT_TRUE(Group::Keeping(moving).IsSubgroupOf(Group::Permutation()));
  EXPECT_FALSE(Group::Permutation().IsSubgroupOf(Group::Keeping(moving)));
  EXPECT_EQ(CommonRefinement({moving, seam}), (std::vector<uint64_t>{6, 10, 12, 18, 24}));
  EXPECT_EQ(Group::Keeping(moving).Name(), "Perm in 4 blocks of 6 that move");
  EXPECT_EQ(Group::Keeping(seam).Name(), "Perm in blocks up to 10, 24");
}

TEST(GroupTest, Names) {
  EXPECT_EQ(Group::Orthogonal().Name(), "O");
  EXPECT_EQ(Group::BlockPermutation(256).Name(), "Perm/256");
  EXPECT_EQ(Group::Of(Move::kPermute, Move::kScale).Name(), "{permutation, scales}");
}

TEST(GroupTest, MoveNamesAndGranularityAreTheWholeGroup) {
  for (const Group& group : {Group::General(), Group::Trivial(), Group::RopeScalars(), Group::BlockPermutation(32),
                             Group::AllowedBy(Profile::kExact)}) {
    EXPECT_EQ(Group::FromMoveNames(group.MoveNames(), group.granularity()), group) << group.Name();
  }
  EXPECT_EQ(Group::FromMoveNames(std::vector<std::string>{"permute", "fold"}, 1), std::nullopt);
  EXPECT_EQ(Group::FromMoveNames(std::vector<std::string>{"permute"}, 0), std::nullopt);
}

}  // namespace
}  // namespace isoveil
