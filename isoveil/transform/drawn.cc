#include "isoveil/transform/drawn.h"

#include <algorithm>

#include "isoveil/transform/plan.h"

namespace isoveil {
namespace {

// "layer.12.ffn" -> "layer.*.ffn"
std::string WithoutNumbers(const std::string& label) {
  std::string text;
  for (const char c : label) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) text += c;
    if (digit && !text.ends_with('*')) text += '*';
  }
  return text;
}

bool IsCoveredByABlock(const Space& space) {
  return space.group.granularity() > 1 && space.group.granularity() >= space.dim && !space.heads;
}

}  // namespace

std::vector<DrawnSpace> DescribeDrawn(const Graph& graph) {
  std::vector<DrawnSpace> all;
  for (SpaceId id = 0; id < graph.spaces().size(); ++id) {
    const Space& space = graph.space(id);
    const std::string text = DescribeAxis(graph, id);
    DrawnSpace drawn{WithoutNumbers(space.label), space.dim, text.substr(space.label.size() + 2)};
    if (std::find(all.begin(), all.end(), drawn) == all.end()) all.push_back(std::move(drawn));
  }
  return all;
}

std::vector<std::string> WarnOfDrawn(const BoundModel& model) {
  std::vector<std::string> warnings;
  const auto& spaces = model.graph.spaces();
  const auto is_exact = [](const Space& space) { return space.group.IsSubgroupOf(Group::AllowedBy(Profile::kExact)); };
  if (model.profile == Profile::kRotated && std::all_of(spaces.begin(), spaces.end(), is_exact)) {
    warnings.emplace_back(
        "profile rotated draws nothing here that profile exact does not, because the blocks of quantised weights stay "
        "whole; --requantize mixes them, or encrypt the unquantised checkpoint and quantise the result");
  }
  for (const Space& space : spaces) {
    if (!IsCoveredByABlock(space)) continue;
    std::string warning = fmt::format(
        "{} stays where it is: one block of {} quantised weights covers its {} coordinates; encrypt the unquantised "
        "checkpoint and quantise the result",
        WithoutNumbers(space.label), space.group.granularity(), space.dim);
    if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) warnings.push_back(std::move(warning));
  }
  return warnings;
}

}  // namespace isoveil
