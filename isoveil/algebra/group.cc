#include "isoveil/algebra/group.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

namespace isoveil {
namespace {

using NamedGroup = std::pair<Group, std::string_view>;

const std::vector<NamedGroup>& NamedGroups() {
  static const std::vector<NamedGroup> kNamed = {
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
  };
  return kNamed;
}

constexpr uint32_t kMixing =
    static_cast<uint32_t>(Move::kMixOnes) | static_cast<uint32_t>(Move::kMix) | static_cast<uint32_t>(Move::kShear);

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

// The partitions of both, less those that others imply: minimal elements of a partial order, so that it does not matter
// in which order groups meet.
Group Meet(const Group& a, const Group& b) {
  Group meet(a.moves_ & b.moves_);
  meet.granularity_ = std::lcm(a.granularity_, b.granularity_);
  std::set<Partition> all(a.partitions_.begin(), a.partitions_.end());
  all.insert(b.partitions_.begin(), b.partitions_.end());
  for (const Partition& partition : all) {
    const auto implies = [&](const Partition& other) { return other.Implies(partition); };
    if (std::none_of(all.begin(), all.end(), implies)) meet.partitions_.push_back(partition);
  }
  if (!meet.partitions_.empty()) meet.moves_ &= ~kMixing;
  return meet;
}

std::string Group::Name() const {
  std::string runs = granularity_ > 1 ? "/" + std::to_string(granularity_) : "";
  for (const Partition& partition : partitions_)
    runs += (partition == partitions_.front() ? " in " : " and ") + partition.Name();
  const Group fine(moves_);
  for (const auto& [group, name] : NamedGroups()) {
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

std::optional<Group> Group::FromMoveNames(std::span<const std::string> names, uint64_t granularity,
                                          std::vector<Partition> partitions) {
  if (granularity == 0) return std::nullopt;
  Group group = Trivial();
  for (const std::string& name : names) {
    const auto* move =
        std::find_if(std::begin(kMoves), std::end(kMoves), [&](const NamedMove& m) { return m.name == name; });
    if (move == std::end(kMoves)) return std::nullopt;
    group.moves_ |= static_cast<uint32_t>(move->move);
  }
  group.granularity_ = granularity;
  group.partitions_ = std::move(partitions);
  return Meet(group, group);
}

}  // namespace isoveil
