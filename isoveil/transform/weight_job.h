// From a planned weight to the matrix job that computes it: reads what is folded into it and derives the
// actions of its axes.
#pragma once

#include "isoveil/transform/axis_actions.h"
#include "isoveil/transform/matrix_job.h"
#include "isoveil/transform/plan.h"

namespace isoveil {

// The values of a stored vector in fp32.
std::vector<float> ReadVector(const BoundSlice& slice);

// The stored tensors that `part`, which must not be constant, is computed from.
std::vector<const TensorView*> SourcesOf(const BoundModel& model, const PartPlan& part);

// The specification of `part`, which must not be constant. kUnsupported if a bias would have to be divided
// by a zero gain.
Result<MatrixJobSpec> SpecifyWeight(const BoundModel& model, const AxisActions& actions, const PartPlan& part,
                                    bool requantize);

}  // namespace isoveil
