// What an encryption really draws, in words: the profile says what may be drawn, formats and dimensions take away from
// it.
//
//   manifest.drawn = DescribeDrawn(model.graph);
//   for (const std::string& warning : WarnOfDrawn(model)) Show(warning);
#pragma once

#include <string>
#include <vector>

#include "isoveil/arch/bind.h"
#include "isoveil/package/manifest.h"

namespace isoveil {

// Of every space; layers that are alike share a line, "layer.*.ffn".
std::vector<DrawnSpace> DescribeDrawn(const Graph& graph);

// Where that is less than the profile's name promises: profile rotated that draws what exact would, and spaces that
// stay because one block of a quantised format covers them.
std::vector<std::string> WarnOfDrawn(const BoundModel& model);

}  // namespace isoveil
