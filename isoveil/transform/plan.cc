#include "isoveil/transform/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "isoveil/crypto/hash.h"
#include "isoveil/tensor/computed.h"

namespace isoveil {
namespace {

// Plans one target tensor that holds the weights of `stored`.
Result<TensorPlan> PlanTensor(const BoundModel& model, const StoredTensor& stored, DType type) {
  std::vector<Shape> shapes;
  for (const std::string& role : stored.roles) shapes.push_back(model.graph.FindWeight(role)->shape);
  ISOVEIL_ASSIGN_OR_RETURN(TensorLayout layout, LayOutTensor(stored, shapes, type));
  TensorPlan tensor{.info = {stored.name, type, std::move(layout.shape)}, .parts = {}, .literal = {}};
  for (size_t i = 0; i < stored.roles.size(); ++i) {
    tensor.parts.push_back({model.graph.FindWeight(stored.roles[i]), layout.slices[i]});
  }
  return tensor;
}

std::string ShardName(FormatKind format, size_t index, size_t count) {
  const std::string extension = format == FormatKind::kGguf ? ".gguf" : ".safetensors";
  if (count == 1) return "model" + extension;
  return fmt::format("model-{:05}-of-{:05}{}", index + 1, count, extension);
}

// The tensors of the target that hold the weights which are not planned yet, in the order of the network.
std::vector<StoredTensor> UnplannedTensors(const BoundModel& model, const Plan& plan) {
  std::set<std::string, std::less<>> planned;
  for (const ShardPlan& shard : plan.shards) {
    for (const TensorPlan& tensor : shard.tensors) {
      for (const PartPlan& part : tensor.parts) planned.insert(part.weight->role);
    }
  }
  std::vector<StoredTensor> tensors;
  const Dialect& dialect = DialectOf(*model.family, plan.target);
  for (const Weight& weight : model.graph.weights()) {
    if (planned.contains(weight.role)) continue;
    tensors.push_back(dialect.Find(weight.role));
    planned.insert(tensors.back().roles.begin(), tensors.back().roles.end());
  }
  return tensors;
}

// The weights that no stored tensor of the source holds: a head that is untied.
Status AddNewTensors(const BoundModel& model, Plan& plan) {
  for (StoredTensor& stored : UnplannedTensors(model, plan)) {
    const DType type = model.slices.at(model.graph.FindWeight(stored.roles.front())->source).slice.type;
    stored.name = DialectOf(*model.family, plan.target).Prefixed(stored);
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
    ShardPlan shard{ShardName(plan.target, i, shards.size()), {}};
    for (const TensorInfo& info : shards[i].tensors) {
      const BoundTensor& bound = *by_name.at(info.name);
      if (!bound.dropped.empty()) {
        plan.dropped.emplace_back(info.name, bound.dropped);
        continue;
      }
      StoredTensor stored = bound.stored;
      stored.name = DialectOf(*model.family, plan.target).Prefixed(stored);
      ISOVEIL_ASSIGN_OR_RETURN(TensorPlan tensor, PlanTensor(model, stored, info.type));
      shard.tensors.push_back(std::move(tensor));
    }
    plan.shards.push_back(std::move(shard));
  }
  return AddNewTensors(model, plan);
}

DType TypeInGguf(const BoundModel& model, const Weight& weight) {
  const DType type = model.slices.at(weight.source).slice.type;
  const auto& forced = model.family->gguf_f32_roles;
  const bool vector = weight.shape.size() == 1;
  if (vector || type == DType::kF64 || std::find(forced.begin(), forced.end(), weight.role) != forced.end()) {
    return DType::kF32;
  }
  return type;
}

Status PlanToGguf(const BoundModel& model, std::vector<DerivedTensor> derived, Plan& plan) {
  ShardPlan shard{ShardName(plan.target, 0, 1), {}};
  for (const StoredTensor& stored : UnplannedTensors(model, plan)) {
    DType type = TypeInGguf(model, *model.graph.FindWeight(stored.roles.front()));
    for (const std::string& role : stored.roles) {
      if (TypeInGguf(model, *model.graph.FindWeight(role)) != type) type = DType::kF32;
    }
    ISOVEIL_ASSIGN_OR_RETURN(TensorPlan tensor, PlanTensor(model, stored, type));
    shard.tensors.push_back(std::move(tensor));
  }
  for (DerivedTensor& tensor : derived) {
    TensorInfo info{tensor.role, DType::kF32, {tensor.values.size()}};
    shard.tensors.push_back({std::move(info), {}, std::move(tensor.values)});
  }
  for (const BoundTensor& tensor : model.tensors) {
    if (!tensor.dropped.empty()) plan.dropped.emplace_back(tensor.tensor->info.name, tensor.dropped);
  }
  plan.shards.push_back(std::move(shard));
  return Ok();
}

}  // namespace

uint64_t Plan::TotalBytes() const {
  uint64_t total = 0;
  for (const ShardPlan& shard : shards) {
    for (const TensorPlan& tensor : shard.tensors) total += *TensorBytes(tensor.info.type, tensor.info.shape);
  }
  return total;
}

Result<Plan> MakePlan(const BoundModel& model, const Checkpoint& source, FormatKind target,
                      std::vector<DerivedTensor> derived) {
  Plan plan{.model = &model, .target = target, .shards = {}, .dropped = {}};
  if (target == model.format) {
    ISOVEIL_RETURN_IF_ERROR(PlanSameFormat(model, source, plan));
  } else if (target == FormatKind::kGguf) {
    ISOVEIL_RETURN_IF_ERROR(PlanToGguf(model, std::move(derived), plan));
  } else {
    return Fail(ErrorCode::kUnsupported, "target format", "a GGUF file cannot become a Hugging Face folder",
                "encrypt it to GGUF, or start from the Hugging Face folder");
  }
  return plan;
}

Result<Plan> Widened(Plan plan) {
  const Dialect& dialect = DialectOf(*plan.model->family, plan.target);
  for (ShardPlan& shard : plan.shards) {
    for (TensorPlan& tensor : shard.tensors) {
      if (tensor.parts.empty()) continue;
      StoredTensor stored = dialect.Find(tensor.parts.front().weight->role);
      stored.name = tensor.info.name;
      ISOVEIL_ASSIGN_OR_RETURN(tensor, PlanTensor(*plan.model, stored, DType::kF32));
    }
  }
  return plan;
}

std::string DescribeAxis(const Graph& graph, const Axis& axis) {
  const Space& space = graph.space(axis.space);
  const bool whole = space.group.granularity() > 1 && space.group.granularity() >= space.dim;
  if ((whole || space.group == Group::Trivial()) && !space.heads) return fmt::format("{}: stays", space.label);
  // Of a rotary head only the moves of pairs are drawn.
  const bool rotary = space.rotary_dim > 0 && space.rotary_dim == space.dim;
  const Group drawn = rotary ? Meet(space.group, Group::RopeScalars()) : space.group;
  const std::string name =
      axis.view == View::kPermutation ? "permutation part of " + drawn.Name() : drawn.Name();
  if (!space.heads) return fmt::format("{}: {}", space.label, name);
  const HeadSet& heads = graph.heads_of(space);
  std::string moves = heads.groups_move && heads.kv_heads > 1 ? "groups move" : "groups stay";
  if (heads.queries_per_kv > 1) moves += heads.queries_move ? ", queries move" : ", queries stay";
  return fmt::format("{}: {} in each head; {}", space.label, name, moves);
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
  if (how != nullptr && how->scales) text += fmt::format("; read from {} times its scales", DTypeName(how->base.info.type));
  if (how != nullptr && how->update) text += "; LoRA adapter merged in";
  return text;
}

std::vector<TensorTreatment> DescribeTensors(const Plan& plan) {
  std::vector<TensorTreatment> all;
  for (const ShardPlan& shard : plan.shards) {
    for (const TensorPlan& tensor : shard.tensors) {
      TensorTreatment treatment{
          tensor.info.name, std::string(DTypeName(tensor.info.type)), tensor.info.shape, {}};
      for (const PartPlan& part : tensor.parts) {
        treatment.treatment.push_back(DescribePart(*plan.model, *part.weight));
      }
      if (tensor.parts.empty()) treatment.treatment.emplace_back("public: computed from the configuration");
      all.push_back(std::move(treatment));
    }
  }
  return all;
}

std::string PlanFingerprint(const Plan& plan, const std::string& key_id, const ModelIdentity& identity,
                            bool requantize) {
  Hasher hasher;
  const auto add = [&](std::string_view text) { hasher.Update(fmt::format("{}:{};", text.size(), text)); };
  add(key_id);
  add(Hex(identity));
  add(ProfileName(plan.model->profile));
  add(requantize ? "requantize" : "");
  for (const ShardPlan& shard : plan.shards) {
    add(shard.file);
    for (const TensorPlan& tensor : shard.tensors) {
      add(tensor.info.name);
      add(DTypeName(tensor.info.type));
      add(ShapeName(tensor.info.shape));
      for (const PartPlan& part : tensor.parts) add(DescribePart(*plan.model, *part.weight));
    }
  }
  return Hex(hasher.Finish());
}

}  // namespace isoveil
