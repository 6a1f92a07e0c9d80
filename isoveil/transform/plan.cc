#include "isoveil/transform/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <type_traits>

#include "isoveil/crypto/hash.h"
#include "isoveil/tensor/computed.h"
#include "isoveil/transform/target.h"

namespace isoveil {
namespace {

// Plans one target tensor that holds the weights of `stored`.
Result<TensorPlan> PlanTensor(const BoundModel& model, const StoredTensor& stored, DType type) {
  std::vector<const Weight*> weights;
  for (const std::string& role : stored.roles) weights.push_back(model.graph.FindWeight(role));
  ISOVEIL_ASSIGN_OR_RETURN(TensorLayout layout, LayOutTensor(stored, model.graph, weights, type));
  TensorPlan tensor{.info = {stored.name, type, std::move(layout.shape)}, .parts = {}, .literal = {}};
  for (size_t i = 0; i < weights.size(); ++i) tensor.parts.push_back({weights[i], layout.slices[i]});
  return tensor;
}

std::string ShardName(const Target& target, size_t index, size_t count) {
  if (count == 1) return fmt::format("model{}", target.extension());
  return fmt::format("model-{:05}-of-{:05}{}", index + 1, count, target.extension());
}

// Of the weights in the plan's target.
const Dialect& DialectOf(const Plan& plan) { return DialectOf(*plan.model->family, plan.target->kind()); }

// The tensors of the target that hold the weights which are not planned yet, in the order of the network.
std::vector<StoredTensor> UnplannedTensors(const BoundModel& model, const Plan& plan) {
  std::set<std::string, std::less<>> planned;
  for (const ShardPlan& shard : plan.shards) {
    for (const TensorPlan& tensor : shard.tensors) {
      for (const PartPlan& part : tensor.parts) planned.insert(part.weight->role);
    }
  }
  std::vector<StoredTensor> tensors;
  const Dialect& dialect = DialectOf(plan);
  for (const Weight& weight : model.graph.weights()) {
    if (planned.contains(weight.role)) continue;
    const StoredTensor stored = FindStored(dialect, model.graph, weight.role);
    planned.insert(stored.roles.begin(), stored.roles.end());
    if (!stored.unstored) tensors.push_back(stored);
  }
  return tensors;
}

// The weights that no stored tensor of the source holds: a head that is untied.
Status AddNewTensors(const BoundModel& model, Plan& plan) {
  for (StoredTensor& stored : UnplannedTensors(model, plan)) {
    const DType type = model.slices.at(model.graph.FindWeight(stored.roles.front())->source).slice.type;
    stored.name = DialectOf(plan).Prefixed(stored);
    ISOVEIL_ASSIGN_OR_RETURN(TensorPlan tensor, PlanTensor(model, stored, type));
    plan.shards.back().tensors.push_back(std::move(tensor));
  }
  return Ok();
}

Status PlanSameFormat(const BoundModel& model, const Checkpoint& source, Plan& plan) {
  std::map<std::string_view, const BoundTensor*> by_name;
  for (const BoundTensor& tensor : model.tensors) by_name[tensor.tensor->info.name] = &tensor;
  const auto shards = source.shards();
  for (size_t i = 0; i < shards.size(); ++i) {
    ShardPlan shard{ShardName(*plan.target, i, shards.size()), {}};
    for (const TensorInfo& info : shards[i].tensors) {
      const BoundTensor& bound = *by_name.at(info.name);
      if (!bound.dropped.empty()) {
        plan.dropped.emplace_back(info.name, bound.dropped);
        continue;
      }
      StoredTensor stored = bound.stored;
      stored.name = DialectOf(plan).Prefixed(stored);
      ISOVEIL_ASSIGN_OR_RETURN(TensorPlan tensor, PlanTensor(model, stored, info.type));
      shard.tensors.push_back(std::move(tensor));
    }
    plan.shards.push_back(std::move(shard));
  }
  return AddNewTensors(model, plan);
}

Status PlanConverted(const BoundModel& model, std::vector<DerivedTensor> derived, Plan& plan) {
  ShardPlan shard{ShardName(*plan.target, 0, 1), {}};
  for (const StoredTensor& stored : UnplannedTensors(model, plan)) {
    ISOVEIL_ASSIGN_OR_RETURN(const DType type, plan.target->TypeOf(model, stored));
    ISOVEIL_ASSIGN_OR_RETURN(TensorPlan tensor, PlanTensor(model, stored, type));
    shard.tensors.push_back(std::move(tensor));
  }
  for (DerivedTensor& tensor : derived) {
    TensorInfo info{tensor.role, DType::kF32, {tensor.values.size()}};
    shard.tensors.push_back({std::move(info), {}, std::move(tensor.values)});
  }
  for (const Weight& weight : model.graph.weights()) {
    if (DialectOf(plan).Find(weight.role).unstored) plan.dropped.emplace_back(weight.role, "no token reads it there");
  }
  for (const BoundTensor& tensor : model.tensors) {
    if (!tensor.dropped.empty()) plan.dropped.emplace_back(tensor.tensor->info.name, tensor.dropped);
  }
  plan.shards.push_back(std::move(shard));
  return Ok();
}

template <typename T>
concept PlainValue = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// A hash of values, each with its length or width, so that no two lists of them give the same bytes.
class PlanHasher {
 public:
  template <typename... Values>
  void Add(const Values&... values) {
    (AddOne(values), ...);
  }

  void AddPart(const BoundModel& model, const PartPlan& part) {
    const Weight& weight = *part.weight;
    const Slice& slice = part.target;
    Add(weight.role, weight.source, weight.gain, weight.plus_matrix, weight.plus_vector, weight.divisor);
    Add(weight.constant.has_value(), weight.constant.value_or(0));
    const SetMember member = weight.member.value_or(SetMember{});
    Add(weight.member.has_value(), member.set, member.index, member.stride);
    for (const Axis& axis : weight.axes) {
      Add(axis.copies, axis.segments.size());
      for (const Segment& segment : axis.segments) Add(segment.space, segment.view);
    }
    Add(slice.type, slice.offset, slice.origin);
    for (const StridedAxis& axis : {slice.rows, slice.cols}) Add(axis.count, axis.stride, axis.run, axis.run_stride);
    const Computation* how = weight.constant ? nullptr : model.slices.at(weight.source).tensor->computed.get();
    Add(how != nullptr && how->scales, how != nullptr && how->update);
  }

  std::string Finish() { return Hex(hasher_.Finish()); }

 private:
  void AddOne(std::string_view text) {
    AddOne(text.size());
    hasher_.Update(text);
  }
  void AddOne(const std::string& text) { AddOne(std::string_view(text)); }
  template <PlainValue Value>
  void AddOne(const Value& number) {
    hasher_.Update(std::as_bytes(std::span(&number, 1)));
  }

  Hasher hasher_;
};

}  // namespace

std::vector<TensorInfo> ShardPlan::Infos() const {
  std::vector<TensorInfo> infos;
  for (const TensorPlan& tensor : tensors) infos.push_back(tensor.info);
  return infos;
}

uint64_t Plan::TotalBytes() const {
  uint64_t total = 0;
  for (const ShardPlan& shard : shards) {
    for (const TensorPlan& tensor : shard.tensors) total += *TensorBytes(tensor.info.type, tensor.info.shape);
  }
  return total;
}

Result<Plan> MakePlan(const BoundModel& model, const Checkpoint& source, const Target& target,
                      std::vector<DerivedTensor> derived) {
  Plan plan{.model = &model, .target = &target, .recode = model.requantize, .shards = {}, .dropped = {}};
  ISOVEIL_RETURN_IF_ERROR(target.kind() == model.format ? PlanSameFormat(model, source, plan)
                                                        : PlanConverted(model, std::move(derived), plan));
  return plan;
}

Result<Plan> Widened(Plan plan) {
  plan.recode = true;
  const Dialect& dialect = DialectOf(plan);
  for (ShardPlan& shard : plan.shards) {
    for (TensorPlan& tensor : shard.tensors) {
      if (tensor.parts.empty()) continue;
      StoredTensor stored = FindStored(dialect, plan.model->graph, tensor.parts.front().weight->role);
      stored.name = tensor.info.name;
      ISOVEIL_ASSIGN_OR_RETURN(tensor, PlanTensor(*plan.model, stored, DType::kF32));
    }
  }
  return plan;
}

namespace {

std::string DescribeSegment(const Graph& graph, const Segment& segment) {
  const Space& space = graph.space(segment.space);
  const bool whole = space.group.granularity() > 1 && space.group.granularity() >= space.dim;
  if ((whole || space.group == Group::Trivial()) && !space.heads) return fmt::format("{}: stays", space.label);
  // Of a rotary head only the moves of pairs are drawn.
  const bool rotary = space.rotary_dim > 0 && space.rotary_dim == space.dim;
  const Group drawn = rotary ? Meet(space.group, Group::RopeScalars()) : space.group;
  const std::string name = segment.view == View::kPermutation ? "permutation part of " + drawn.Name() : drawn.Name();
  if (!space.heads) return fmt::format("{}: {}", space.label, name);
  const HeadSet& heads = graph.heads_of(space);
  std::string moves = heads.groups_move && heads.kv_heads > 1 ? "groups move" : "groups stay";
  if (heads.queries_per_kv > 1) moves += heads.queries_move ? ", queries move" : ", queries stay";
  return fmt::format("{}: {} in each head; {}", space.label, name, moves);
}

}  // namespace

std::string DescribeAxis(const Graph& graph, const Axis& axis) {
  std::string text;
  for (const Segment& segment : axis.segments) {
    text += (text.empty() ? "" : " + ") + DescribeSegment(graph, segment);
  }
  return text;
}

std::string DescribeTreatment(const Graph& graph, const Weight& weight) {
  if (weight.constant) return fmt::format("folded into its readers; filled with {}", *weight.constant);
  std::string text;
  for (const Axis& axis : weight.axes) text += (text.empty() ? "" : " | ") + DescribeAxis(graph, axis);
  if (weight.source != weight.role) text += fmt::format("; from {}", weight.source);
  if (!weight.gain.empty()) text += fmt::format("; {} folded in", weight.gain);
  if (!weight.plus_vector.empty()) text += fmt::format("; {} folded in", weight.plus_vector);
  if (!weight.divisor.empty()) text += fmt::format("; divided by {}", weight.divisor);
  return text;
}

std::string DescribePart(const BoundModel& model, const Weight& weight) {
  std::string text = DescribeTreatment(model.graph, weight);
  const Computation* how = weight.constant ? nullptr : model.slices.at(weight.source).tensor->computed.get();
  if (how != nullptr && how->scales)
    text += fmt::format("; read from {} times its scales", DTypeName(how->base.info.type));
  if (how != nullptr && how->update) text += "; LoRA adapter merged in";
  return text;
}

std::vector<TensorTreatment> DescribeTensors(const Plan& plan) {
  std::vector<TensorTreatment> all;
  for (const ShardPlan& shard : plan.shards) {
    for (const TensorPlan& tensor : shard.tensors) {
      TensorTreatment treatment{tensor.info.name, std::string(DTypeName(tensor.info.type)), tensor.info.shape, {}};
      for (const PartPlan& part : tensor.parts) {
        treatment.treatment.push_back(DescribePart(*plan.model, *part.weight));
      }
      if (tensor.parts.empty()) treatment.treatment.emplace_back("public: computed from the configuration");
      all.push_back(std::move(treatment));
    }
  }
  return all;
}

std::string PlanFingerprint(const Plan& plan, const std::string& key_id, const ModelIdentity& identity) {
  PlanHasher hasher;
  hasher.Add(std::string_view("plan 3"), key_id, Hex(identity), plan.model->profile, plan.recode, plan.target->kind());
  const Graph& graph = plan.model->graph;
  for (const Space& space : graph.spaces()) {
    hasher.Add(space.label, space.dim, space.rotary_dim, space.heads.value_or(~size_t{0}), space.group.granularity());
    for (const std::string& move : space.group.MoveNames()) hasher.Add(move);
    for (const Partition& partition : space.group.partitions()) {
      hasher.Add(partition.blocks, partition.ends.size());
      for (const uint64_t end : partition.ends) hasher.Add(end);
    }
  }
  for (const HeadSet& heads : graph.head_sets()) {
    hasher.Add(heads.label, heads.kv_heads, heads.queries_per_kv, heads.groups_move, heads.queries_move);
  }
  for (const ShardPlan& shard : plan.shards) {
    hasher.Add(shard.file);
    for (const TensorPlan& tensor : shard.tensors) {
      hasher.Add(tensor.info.name, tensor.info.type, ShapeName(tensor.info.shape));
      for (const PartPlan& part : tensor.parts) hasher.AddPart(*plan.model, part);
    }
  }
  return hasher.Finish();
}

}  // namespace isoveil
