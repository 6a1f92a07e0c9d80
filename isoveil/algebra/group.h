// The symmetry groups of a network's spaces, and their lattice.
//
//   Group g = Meet(Group::Orthogonal(), Group::Monomial());     // signed permutations
//   g = Meet(g, Group::AllowedBy(Profile::kExact));
//
// A group is described by the independent moves that generate it: permuting coordinates, flipping
// signs, scaling, mixing coordinates orthogonally, turning RoPE pairs, ... Every rule of an operation,
// every profile and every storage format only takes moves away, so the meet of two groups is the
// intersection of their move sets; it is total, commutative, associative and idempotent, with GL at
// the top and the trivial group at the bottom. The named groups of the symmetry table:
//
//   GL          everything
//   O           permutations, signs, orthogonal mixing
//   O1          permutations and orthogonal mixing that fix the all-ones vector
//   Mono        permutations, signs, positive scales
//   MonoPos     permutations, positive scales
//   SignedPerm  permutations, signs
//   Perm        permutations
//   RopeScalars per RoPE pair: a turn by any angle and a positive scale; pairs stay where they are
//   PairSigns   per RoPE pair: a sign (QK-norm)
//
// A partition (partition.h) takes away the permutations that do not keep it and all mixing; a group may have several.
//
// Some meets and why they are right: O and Mono meet in SignedPerm; O1 and Mono meet in Perm, because
// a monomial matrix that fixes the ones vector is a permutation; O and MonoPos meet in Perm.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "isoveil/algebra/partition.h"

namespace isoveil {

// One kind of move on a space. Discrete moves keep every stored weight's bits up to sign and exponent.
enum class Move : uint32_t {
  kPermute = 1U << 0,          // coordinates change places
  kSign = 1U << 1,             // single coordinates change sign
  kPowerOfTwo = 1U << 2,       // coordinates are scaled by powers of two
  kScale = 1U << 3,            // coordinates are scaled by any positive factor
  kMixOnes = 1U << 4,          // orthogonal mixing that fixes the all-ones vector
  kMix = 1U << 5,              // orthogonal mixing
  kShear = 1U << 6,            // mixing that is not orthogonal
  kPairSign = 1U << 7,         // RoPE pairs change sign
  kQuarterTurn = 1U << 8,      // RoPE pairs turn by multiples of 90 degrees
  kTurn = 1U << 9,             // RoPE pairs turn by any angle
  kPairPowerOfTwo = 1U << 10,  // RoPE pairs are scaled by powers of two
  kPairScale = 1U << 11,       // RoPE pairs are scaled by any positive factor
};

// How much of each group a key draws; see "Profiles" in README.md.
enum class Profile { kExact, kRotated };

class Group {
 public:
  // A group from single moves, for rules that no named group describes.
  template <typename... Moves>
  static Group Of(Moves... moves) {
    return Group((0U | ... | static_cast<uint32_t>(moves)));
  }

  static Group General() { return Group(0xfff); }
  static Group Orthogonal() {
    return Of(Move::kPermute, Move::kSign, Move::kMixOnes, Move::kMix, Move::kPairSign, Move::kQuarterTurn,
              Move::kTurn);
  }
  static Group OrthogonalFixingOnes() { return Of(Move::kPermute, Move::kMixOnes); }
  static Group Monomial() {
    return Of(Move::kPermute, Move::kSign, Move::kPowerOfTwo, Move::kScale, Move::kPairSign, Move::kQuarterTurn,
              Move::kPairPowerOfTwo, Move::kPairScale);
  }
  static Group PositiveMonomial() {
    return Of(Move::kPermute, Move::kPowerOfTwo, Move::kScale, Move::kPairPowerOfTwo, Move::kPairScale);
  }
  static Group SignedPermutation() { return Of(Move::kPermute, Move::kSign, Move::kPairSign, Move::kQuarterTurn); }
  static Group Permutation() { return Of(Move::kPermute); }
  static Group RopeScalars() {
    return Of(Move::kPairSign, Move::kQuarterTurn, Move::kTurn, Move::kPairPowerOfTwo, Move::kPairScale);
  }
  static Group PairSigns() { return Of(Move::kPairSign); }
  static Group Trivial() { return Group(0); }

  // Permutations that move whole runs of `granularity` coordinates: what a block format allows on its
  // packed axis when blocks are to stay bit-identical.
  static Group BlockPermutation(uint64_t granularity) {
    Group group = Permutation();
    group.granularity_ = granularity;
    return group;
  }

  // Permutations that keep the blocks of a partition of the space together. Mixing across them is none of them.
  static Group Keeping(Partition partition) {
    Group group = Permutation();
    group.partitions_.push_back(std::move(partition));
    return group;
  }

  // All the moves that a profile draws.
  static Group AllowedBy(Profile profile) {
    if (profile == Profile::kRotated) return General();
    return Of(Move::kPermute, Move::kSign, Move::kPowerOfTwo, Move::kPairSign, Move::kQuarterTurn,
              Move::kPairPowerOfTwo);
  }

  bool Has(Move move) const { return (moves_ & static_cast<uint32_t>(move)) != 0; }
  // Coordinates move in whole runs of this length; 1 unless blocks must stay whole.
  uint64_t granularity() const { return granularity_; }
  // What permutations keep together, sorted, without what others imply; empty for most spaces.
  const std::vector<Partition>& partitions() const { return partitions_; }
  // True when every element of this group is an element of `other`.
  bool IsSubgroupOf(const Group& other) const { return Meet(*this, other) == *this; }

  friend Group Meet(const Group& a, const Group& b);
  friend bool operator==(const Group&, const Group&) = default;

  // The moves one by one, for files: "permute", "sign"; with granularity() and partitions() they are the whole
  // group.
  std::vector<std::string> MoveNames() const;
  // Nothing if a name is unknown or the granularity is zero.
  static std::optional<Group> FromMoveNames(std::span<const std::string> names, uint64_t granularity,
                                            std::vector<Partition> partitions = {});

  // The name in the symmetry table, or the list of moves: "O", "SignedPerm", "Perm/256", "{Sign}".
  std::string Name() const;

 private:
  explicit Group(uint32_t moves) : moves_(moves) {}

  uint32_t moves_;
  uint64_t granularity_ = 1;
  std::vector<Partition> partitions_;
};

}  // namespace isoveil
