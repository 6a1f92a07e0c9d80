// Draws elements of symmetry groups from a key stream: everything random about an encryption.
//
//   KeyStream stream = key.Stream("residual");
//   Action g = Draw(space.group, space.dim, stream);
//
// Draw takes the largest action that the group allows, the first of
//
//   kMix and kShear (GL)  dense A = Q1 diag(s) Q2, Q1 and Q2 Haar, s log-uniform in [1/2, 2],
//                         so that cond(A) <= 4: a larger one would amplify the rounding of BF16 weights
//   kMix (O)              structured orthogonal, see below
//   kMixOnes (O1)         the reflection of the ones vector to an axis, structured orthogonal on the other
//                         coordinates, and back
//   otherwise             a permutation, then signs, then scales in [1/2, 2] or powers of two from 2^-2 to
//                         2^2, each if the group has it
//
// Structured orthogonal: rounds of signs, a permutation, Hadamard transforms of runs of 2^k coordinates, and
// a Haar matrix across the m runs, for n = m 2^k with m odd; O(n log n) to apply. Where m would exceed 127,
// the m <= 127 and k that cover most coordinates are taken; the permutations carry the others in. Three
// rounds, or six if not everything is covered.
//
// docs/keys.md specifies the order of all draws. Exact scales are products of exact powers of two.
#pragma once

#include "isoveil/algebra/action.h"
#include "isoveil/algebra/group.h"
#include "isoveil/algebra/port.h"
#include "isoveil/algebra/rope.h"
#include "isoveil/crypto/key_stream.h"
#include "isoveil/key/model_key.h"

namespace isoveil {

// A uniform permutation of n by Fisher and Yates; runs of `granularity`, a divisor of n, stay together.
std::vector<uint32_t> DrawPermutation(uint64_t n, KeyStream& stream, uint64_t granularity = 1);

// One of a group's permutations of n coordinates: runs of its granularity stay together and its partitions are kept.
// Uniform without a partition or with one whose equal blocks move; with others cells of their common refinement are
// shuffled inside.
std::vector<uint32_t> DrawPermutation(const Group& group, uint64_t n, KeyStream& stream);

// `dim` is a multiple of group.granularity(); dense draws are meant for heads, dim <= 1024.
Action Draw(const Group& group, uint64_t dim, KeyStream& stream);

// The element of a space that is not an attention head's, from the stream of its label; the identity where the group is
// trivial. Weights and ports draw alike from the same record.
Action DrawSpace(const SpaceRecord& space, const ModelKey& key);

// An element for one attention head: complex scalars on the rotary pairs as the pair moves of the group
// allow, Draw on the other coordinates. The same stream gives the same scalars in every layout.
Action DrawRopeHead(const Group& group, const RopeLayout& layout, KeyStream& stream);

}  // namespace isoveil
