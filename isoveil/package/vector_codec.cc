#include "isoveil/package/vector_codec.h"

#include "isoveil/key/draw.h"

namespace isoveil {
namespace {

Result<std::vector<double>> Act(const Action& action, std::span<const double> vector) {
  if (vector.size() != action.dim()) {
    return Fail(ErrorCode::kInvalidArgument, "vector",
                fmt::format("expected {} numbers, found {}", action.dim(), vector.size()),
                "the vector belongs to another port or another model");
  }
  std::vector<double> moved(vector.begin(), vector.end());
  std::vector<double> scratch;
  action.Apply(moved.data(), 1, 1, scratch);
  return moved;
}

}  // namespace

Result<VectorCodec> VectorCodec::Derive(const ModelKey& key, const SpaceRecord& space) {
  if (space.group.Has(Move::kMix) && space.group.Has(Move::kShear)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("space {}", Quoted(space.label)),
                fmt::format("vectors cannot be moved by {}", space.group.Name()),
                "use the version that encrypted the model");
  }
  return VectorCodec(DrawSpace(space, key));
}

Result<std::vector<double>> VectorCodec::Encrypt(std::span<const double> plain) const { return Act(action_, plain); }
Result<std::vector<double>> VectorCodec::Decrypt(std::span<const double> encrypted) const {
  return Act(inverse_, encrypted);
}

}  // namespace isoveil
