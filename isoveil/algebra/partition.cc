#include "isoveil/algebra/partition.h"

#include <set>

namespace isoveil {

std::string Partition::Name() const {
  const std::string how = blocks == Blocks::kMove ? " that move" : "";
  if (const uint64_t length = BlockLength(); length > 0) {
    return std::to_string(ends.size()) + " blocks of " + std::to_string(length) + how;
  }
  std::string list;
  for (const uint64_t end : ends) list += (list.empty() ? "" : ", ") + std::to_string(end);
  return "blocks up to " + list + how;
}

std::vector<uint64_t> CommonRefinement(const std::vector<Partition>& partitions) {
  std::set<uint64_t> ends;
  for (const Partition& partition : partitions) ends.insert(partition.ends.begin(), partition.ends.end());
  return {ends.begin(), ends.end()};
}

}  // namespace isoveil
