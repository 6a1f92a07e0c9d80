// What a storage format leaves of the groups: it narrows them to the moves that keep stored bits.
//
//   NarrowToStorage(weight, DType::kQ8_0, graph);   // whole blocks move, nothing mixes
#pragma once

#include "isoveil/graph/graph.h"
#include "isoveil/tensor/dtype.h"

namespace isoveil {

// Takes away the powers of two from every space.
void NarrowToUnscaled(Graph& graph);

// Takes away the moves that would change bits of `weight` stored as `type` beyond sign and exponent, or
// break its blocks.
void NarrowToStorage(const Weight& weight, DType type, Graph& graph);

}  // namespace isoveil
