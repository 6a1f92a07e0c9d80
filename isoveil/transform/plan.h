// What an encryption will write: every file, every tensor in it, and what happens to each axis.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Plan plan, MakePlan(model, checkpoint, TargetOf(FormatKind::kGguf)));
//   for (const ShardPlan& shard : plan.shards) Show(shard);
//
// A plan holds names, shapes and places, no weights and nothing of a key: it is what `--dry-run` prints.
// It refers to the bound model, which must outlive it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "isoveil/arch/bind.h"
#include "isoveil/key/model_key.h"
#include "isoveil/package/manifest.h"

namespace isoveil {

class Target;

// A weight and its place in a target tensor.
struct PartPlan {
  const Weight* weight = nullptr;
  Slice target;
};

struct TensorPlan {
  TensorInfo info;
  std::vector<PartPlan> parts;
  std::vector<float> literal;  // content that comes from the configuration instead of weights
};

struct ShardPlan {
  std::string file;  // a standard name: the source's own might tell where the model comes from
  std::vector<TensorPlan> tensors;

  std::vector<TensorInfo> Infos() const;
};

struct Plan {
  const BoundModel* model = nullptr;
  const Target* target = nullptr;
  bool recode = false;  // block formats are decoded, and written anew
  std::vector<ShardPlan> shards;
  std::vector<std::pair<std::string, std::string>> dropped;  // source tensor, why

  uint64_t TotalBytes() const;
};

// Plans a target in the source's own format (same files, same order) or in another one (one file, in the order of the
// network). `derived` are tensors that the target format stores and the source does not. kUnsupported where the target
// takes nothing from the source's format.
Result<Plan> MakePlan(const BoundModel& model, const Checkpoint& source, const Target& target,
                      std::vector<DerivedTensor> derived = {});

// The same plan with every tensor stored in fp32.
Result<Plan> Widened(Plan plan);

// What is done to a weight, in words: "permutation x structured orthogonal; norm gain folded".
std::string DescribeTreatment(const Graph& graph, const Weight& weight);
// The same, with what was done to its source before.
std::string DescribePart(const BoundModel& model, const Weight& weight);
// The group of an axis as drawn: "Perm of 32000", "8 heads, RopeScalars".
std::string DescribeAxis(const Graph& graph, const Axis& axis);

// What a manifest says of every tensor.
std::vector<TensorTreatment> DescribeTensors(const Plan& plan);

// Identifies everything that determines the written bytes: a resumed run must have the same. A hash of the plan's data,
// none of its sentences.
std::string PlanFingerprint(const Plan& plan, const std::string& key_id, const ModelIdentity& identity);

}  // namespace isoveil
