#include "isoveil/algebra/group.h"

#include <array>
#include <string_view>
#include <utility>

namespace isoveil {
namespace {

constexpr std::array<std::pair<Group, std::string_view>, 11> kNamed = {{
    {Group::General(), "GL"},
    {Group::Orthogonal(), "O"},
    {Group::OrthogonalFixingOnes(), "O1"},
    {Group::Monomial(), "Mono"},
    {Group::PositiveMonomial(), "MonoPos"},
    {Group::SignedPermutation(), "SignedPerm"},
    {Group::Permutation(), "Perm"},
    {Group::RopeScalars(), "RopeScalars"},
    {Group::PairSigns(), "PairSigns"},
    {Group::Trivial(), "trivial"},
    {Group::Of(Move::kPermute, Move::kSign, Move::kPowerOfTwo, Move::kPairSign, Move::kQuarterTurn,
               Move::kPairPowerOfTwo),
     "SignedPerm x powers of two"},
}};

constexpr std::array<std::pair<Move, std::string_view>, 12> kMoves = {{
    {Move::kPermute, "permutation"},
    {Move::kSign, "signs"},
    {Move::kPowerOfTwo, "powers of two"},
    {Move::kScale, "scales"},
    {Move::kMixOnes, "mixing that fixes ones"},
    {Move::kMix, "orthogonal mixing"},
    {Move::kShear, "mixing"},
    {Move::kPairSign, "pair signs"},
    {Move::kQuarterTurn, "quarter turns"},
    {Move::kTurn, "turns"},
    {Move::kPairPowerOfTwo, "pair powers of two"},
    {Move::kPairScale, "pair scales"},
}};

}  // namespace

std::string Group::Name() const {
  const std::string runs = granularity_ > 1 ? "/" + std::to_string(granularity_) : "";
  Group fine = *this;
  fine.granularity_ = 1;
  for (const auto& [group, name] : kNamed) {
    if (group == fine) return std::string(name) + runs;
  }
  std::string list;
  for (const auto& [move, name] : kMoves) {
    if (Has(move)) list += (list.empty() ? "" : ", ") + std::string(name);
  }
  return "{" + list + "}" + runs;
}

}  // namespace isoveil
