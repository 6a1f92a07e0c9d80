// From a planned weight to the matrix job that computes it: reads what is folded into it and derives the
// actions of its axes.
#pragma once

#include <atomic>
#include <map>

#include "isoveil/base/scratch_file.h"
#include "isoveil/transform/axis_actions.h"
#include "isoveil/transform/matrix_job.h"
#include "isoveil/transform/plan.h"

namespace isoveil {

// The values of a stored vector in fp32.
std::vector<float> ReadVector(const BoundSlice& slice);

// The part with the weight that comes to its place: another expert's, where experts change places.
PartPlan Arriving(const Graph& graph, const AxisActions& actions, PartPlan part);

// The tensors that `part`, which must not be constant, is made from.
std::vector<const TensorView*> SourcesOf(const BoundModel& model, const PartPlan& part);

// What the parts of one target tensor are made from, as bytes: computed tensors lie in scratch files while this lives.
class TensorSources {
 public:
  static Result<TensorSources> Open(const BoundModel& model, std::span<const PartPlan> parts, const Path& scratch,
                                    const std::atomic<bool>* cancel);
  BoundSlice at(std::string_view role) const;

 private:
  explicit TensorSources(const BoundModel& model) : model_(&model) {}

  struct Held {
    ScratchFile file;
    TensorView view;
  };
  const BoundModel* model_;
  std::map<const TensorView*, Held> held_;
};

// The specification of `part`, which must not be constant. kUnsupported if a bias would have to be divided
// by a zero gain.
Result<MatrixJobSpec> SpecifyWeight(const TensorSources& sources, const AxisActions& actions, const PartPlan& part,
                                    bool recode);

}  // namespace isoveil
