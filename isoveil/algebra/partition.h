// A cut of a space's coordinates into consecutive blocks that permutations keep together.
//
//   Partition::Uniform(320, 10, Partition::Blocks::kMove)       // the 32 groups of a GroupNorm
//   Partition{.ends = {1280, 1920}}                             // two spaces side by side, each stays in its place
//
// A permutation keeps a partition if it takes each block onto a block: the same one, or with kMove any one of the same
// length. Those that keep several partitions are the meet of theirs.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace isoveil {

struct Partition {
  enum class Blocks { kStay, kMove };

  std::vector<uint64_t> ends;  // of the blocks, ascending; the last is the dimension
  Blocks blocks = Blocks::kStay;

  // Blocks of `block` coordinates, a divisor of `dim`.
  static Partition Uniform(uint64_t dim, uint64_t block, Blocks blocks) {
    Partition partition{.ends = {}, .blocks = blocks};
    for (uint64_t end = block; end <= dim; end += block) partition.ends.push_back(end);
    return partition;
  }

  auto operator<=>(const Partition&) const = default;

  // Whether the ends ascend to `dim`.
  bool Covers(uint64_t dim) const {
    uint64_t last = 0;
    for (const uint64_t end : ends) {
      if (end <= last) return false;
      last = end;
    }
    return !ends.empty() && last == dim;
  }

  // The length of all blocks, or 0 if they differ.
  uint64_t BlockLength() const {
    for (size_t i = 1; i < ends.size(); ++i) {
      if (ends[i] - ends[i - 1] != ends.front()) return 0;
    }
    return ends.front();
  }

  // Whether what keeps this one keeps `other` as well: its blocks stay, and the other's are made of them.
  bool Implies(const Partition& other) const {
    return *this != other && blocks == Blocks::kStay &&
           std::includes(ends.begin(), ends.end(), other.ends.begin(), other.ends.end());
  }

  // "32 blocks of 10 that move", "blocks up to 1280, 1920"
  std::string Name() const;
};

// Where any of several partitions of one space cuts: the ends of the cells inside which every permutation keeps all of
// them.
std::vector<uint64_t> CommonRefinement(const std::vector<Partition>& partitions);

}  // namespace isoveil
