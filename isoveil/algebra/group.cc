#include "isoveil/algebra/group.h"

#include <algorithm>
#include <array>
#include <iterator>
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

struct NamedMove {
  Move move;
  std::string_view name;  // in files
  std::string_view text;  // for people
};

constexpr NamedMove kMoves[] = {
    {Move::kPermute, "permute", "permutation"},
    {Move::kSign, "sign", "signs"},
    {Move::kPowerOfTwo, "power_of_two", "powers of two"},
    {Move::kScale, "scale", "scales"},
    {Move::kMixOnes, "mix_ones", "mixing that fixes ones"},
    {Move::kMix, "mix", "orthogonal mixing"},
    {Move::kShear, "shear", "mixing"},
    {Move::kPairSign, "pair_sign", "pair signs"},
    {Move::kQuarterTurn, "quarter_turn", "quarter turns"},
    {Move::kTurn, "turn", "turns"},
    {Move::kPairPowerOfTwo, "pair_power_of_two", "pair powers of two"},
    {Move::kPairScale, "pair_scale", "pair scales"},
};

}  // namespace

std::string Group::Name() const {
  const std::string runs = granularity_ > 1 ? "/" + std::to_string(granularity_) : "";
  Group fine = *this;
  fine.granularity_ = 1;
  for (const auto& [group, name] : kNamed) {
    if (group == fine) return std::string(name) + runs;
  }
  std::string list;
  for (const NamedMove& move : kMoves) {
    if (Has(move.move)) list += (list.empty() ? "" : ", ") + std::string(move.text);
  }
  return "{" + list + "}" + runs;
}

std::vector<std::string> Group::MoveNames() const {
  std::vector<std::string> names;
  for (const NamedMove& move : kMoves) {
    if (Has(move.move)) names.emplace_back(move.name);
  }
  return names;
}

std::optional<Group> Group::FromMoveNames(std::span<const std::string> names, uint64_t granularity) {
  if (granularity == 0) return std::nullopt;
  Group group = Trivial();
  for (const std::string& name : names) {
    const auto* move = std::find_if(std::begin(kMoves), std::end(kMoves), [&](const NamedMove& m) { return m.name == name; });
    if (move == std::end(kMoves)) return std::nullopt;
    group.moves_ |= static_cast<uint32_t>(move->move);
  }
  group.granularity_ = granularity;
  return group;
}

}  // namespace isoveil
