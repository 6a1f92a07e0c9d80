#include "isoveil/arch/bind.h"

#include <algorithm>
#include <set>

#include "isoveil/graph/storage.h"
#include "isoveil/tensor/computed.h"

namespace isoveil {
namespace {

using TensorsByName = std::map<std::string, const TensorView*, std::less<>>;

bool IsMatrix(const Shape& shape) { return shape.size() == 2; }

uint64_t Cols(const Shape& shape) { return shape.back(); }

// The stored tensors of all weights that the checkpoint has, with their actual names.
class Finder {
 public:
  Finder(const Checkpoint& checkpoint, const Dialect& dialect) : dialect_(dialect) {
    for (const TensorView& tensor : checkpoint.tensors()) unclaimed_.emplace(tensor.info.name, &tensor);
  }

  // Null if no tensor holds the weight.
  const TensorView* Find(std::string_view role) const { return Find(dialect_.Find(role)); }

  // Takes the tensor that holds the weight; nothing if there is none, or if it was taken with another weight in it.
  void Claim(std::string_view role, const Graph& graph, const std::string& unread, std::vector<BoundTensor>& tensors) {
    const TensorView* tensor = Find(role);
    if (tensor == nullptr || unclaimed_.erase(tensor->info.name) == 0) return;
    StoredTensor stored = FindStored(dialect_, graph, role);
    stored.name = tensor->info.name;
    tensors.push_back({tensor, std::move(stored), unread});
  }

  void DropBuffers(std::vector<BoundTensor>& tensors) {
    std::erase_if(unclaimed_, [&](const auto& entry) {
      if (!dialect_.IsBuffer(entry.first)) return false;
      tensors.push_back({entry.second, {.name = entry.first, .roles = {}}, "a buffer that engines recompute"});
      return true;
    });
  }

  const TensorsByName& unclaimed() const { return unclaimed_; }

 private:
  const TensorView* Find(const StoredTensor& stored) const {
    for (const std::string& name : dialect_.Spellings(stored)) {
      if (const auto it = unclaimed_.find(name); it != unclaimed_.end()) return it->second;
    }
    return nullptr;
  }

  const Dialect& dialect_;
  TensorsByName unclaimed_;
};

Status CheckShape(const BoundTensor& bound, const TensorLayout& expected) {
  const TensorInfo& info = bound.tensor->info;
  if (info.shape == expected.shape) return Ok();
  return Fail(ErrorCode::kFormat, fmt::format("tensor {}", Quoted(info.name)),
              fmt::format("expected shape {}, found {}", ShapeName(expected.shape), ShapeName(info.shape)),
              "the file and its configuration belong to different models");
}

// An adapter says of a square matrix which way it is stored; the architecture knows.
Status CheckUpdate(const BoundTensor& bound) {
  const auto& computed = bound.tensor->computed;
  if (!computed || !computed->update) return Ok();
  const std::string where = fmt::format("tensor {}", Quoted(bound.tensor->info.name));
  if (!bound.dropped.empty()) {
    return Fail(ErrorCode::kUnsupported, where, fmt::format("the LoRA adapter changes it, but it is {}", bound.dropped),
                "untie the head first: save the model with tie_word_embeddings set to false");
  }
  if (computed->update->transposed == bound.stored.transposed) return Ok();
  return Fail(ErrorCode::kMismatch, where,
              "fan_in_fan_out of the LoRA adapter says that it is stored the other way round",
              "correct fan_in_fan_out in adapter_config.json");
}

bool IsUsable(DType type) { return IsPlainFloat(type) || IsBlockFormat(type); }

// The roles that the graph reads.
std::set<std::string, std::less<>> RolesRead(const Graph& graph) {
  std::set<std::string, std::less<>> roles;
  for (const Weight& weight : graph.weights()) {
    if (!weight.constant) roles.insert(weight.source);
    roles.insert(weight.role);
    for (const std::string* role : {&weight.gain, &weight.plus_matrix, &weight.plus_vector, &weight.divisor}) {
      if (!role->empty()) roles.insert(*role);
    }
  }
  return roles;
}

// Locates every role of a stored tensor, checking its shape against the graph.
Status BindSlices(const BoundTensor& bound, const Graph& graph,
                  std::map<std::string, BoundSlice, std::less<>>& slices) {
  const TensorInfo& info = bound.tensor->info;
  if (!IsUsable(info.type)) {
    return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(info.name)),
                fmt::format("weights of type {} have no rule", DTypeName(info.type)),
                "convert the checkpoint to F32, F16, BF16 or a ggml block format");
  }
  std::vector<const Weight*> weights;
  for (const std::string& role : bound.stored.roles) {
    const Weight* weight = graph.FindWeight(role);
    if (weight == nullptr) {
      return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(info.name)),
                  fmt::format("the family does not use {} here", role),
                  "it would need an operation in the family's declaration");
    }
    weights.push_back(weight);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const TensorLayout layout, LayOutTensor(bound.stored, graph, weights, info.type));
  ISOVEIL_RETURN_IF_ERROR(CheckShape(bound, layout));
  for (size_t i = 0; i < layout.slices.size(); ++i) {
    slices[bound.stored.roles[i]] = {bound.tensor, layout.slices[i]};
  }
  return Ok();
}

// "blk.0.ffn_up.scale" of NVFP4 in GGUF; "weight_scale", "weight_scale_inv" and "input_scale" of FP8 folders.
bool IsScaleOfWeights(std::string_view name) { return name.ends_with("scale") || name.ends_with("scale_inv"); }

Status CheckNothingLeft(const TensorsByName& unclaimed, const Family& family) {
  if (unclaimed.empty()) return Ok();
  for (const auto& [name, tensor] : unclaimed) {
    if (!IsScaleOfWeights(name)) continue;
    return Fail(
        ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(name)),
        "holds a scale apart from the quantised weights that it belongs to (NVFP4, FP8), which has no rule here",
        "encrypt the unquantised checkpoint to GGUF, and run llama-quantize on the result");
  }
  return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(unclaimed.begin()->first)),
              fmt::format("family {} declares no such weight ({} tensor{} left over)", family.name, unclaimed.size(),
                          unclaimed.size() == 1 ? " is" : "s are"),
              "it would be left in plaintext; it needs an operation and a name in the family's declaration");
}

}  // namespace

StoredTensor FindStored(const Dialect& dialect, const Graph& graph, std::string_view role) {
  StoredTensor stored = dialect.Find(role);
  const Weight* weight = graph.FindWeight(role);
  if (!stored.experts || weight == nullptr || !weight->member) return stored;
  stored.roles.clear();
  const uint64_t n_experts = graph.space(weight->member->set).dim;
  for (uint64_t i = 0; i < n_experts; ++i) stored.roles.push_back(graph.Sibling(*weight, i).role);
  return stored;
}

Result<TensorLayout> LayOutTensor(const StoredTensor& stored, const Graph& graph, std::span<const Weight* const> roles,
                                  DType type) {
  const bool blocks = IsBlockFormat(type);
  if (blocks && stored.transposed) {
    return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(stored.name)),
                "block formats cannot be transposed");
  }
  const bool matrix = IsMatrix(roles.front()->shape);
  const uint64_t inputs = matrix ? Cols(roles.front()->shape) : 1;
  uint64_t outputs = 0;
  for (const Weight* role : roles) outputs += role->shape.front();

  TensorLayout layout;
  layout.shape = !matrix ? Shape{outputs} : stored.transposed ? Shape{inputs, outputs} : Shape{outputs, inputs};
  // The same bytes in the same order, counted otherwise.
  if (stored.experts) layout.shape = {roles.size(), roles.front()->shape.front(), inputs};
  if (stored.flat) layout.shape = {outputs * inputs};
  const auto row_bytes = RowBytes(type, layout.shape.back());
  if (!row_bytes) {
    return Fail(ErrorCode::kFormat, fmt::format("tensor {}", Quoted(stored.name)),
                fmt::format("{} columns are no whole number of {} blocks", layout.shape.back(), DTypeName(type)));
  }
  const uint64_t element = blocks ? 0 : BlockBytes(type);
  const uint64_t output_bytes = matrix && !stored.transposed ? *row_bytes : element;
  const HeadSet* heads = stored.by_head ? graph.HeadsAlong(roles.front()->axes.front()) : nullptr;
  uint64_t done = 0;
  for (const Weight* role : roles) {
    StridedAxis along_outputs{.count = role->shape.front(), .stride = output_bytes};
    uint64_t length = along_outputs.count;
    if (heads != nullptr) {
      length /= heads->kv_heads;
      along_outputs.run = length;
      along_outputs.run_stride = outputs / heads->kv_heads * output_bytes;
    }
    const StridedAxis along_inputs{.count = inputs, .stride = stored.transposed ? *row_bytes : element};
    layout.slices.push_back({.type = type,
                             .offset = done * output_bytes,
                             .rows = matrix ? along_outputs : StridedAxis{.count = 1, .stride = *row_bytes},
                             .cols = matrix ? along_inputs : along_outputs,
                             .origin = stored.origin});
    done += length;
  }
  return layout;
}

Result<BoundModel> Bind(const Checkpoint& checkpoint, const BindOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const Family* family, FindFamily(checkpoint));
  const Dialect& dialect = DialectOf(*family, checkpoint.kind());
  Finder finder(checkpoint, dialect);
  const TensorView* embedding = finder.Find("token_embd.weight");
  if (embedding == nullptr) {
    return Fail(ErrorCode::kNotFound, fmt::format("tensor {}", Quoted(dialect.Find("token_embd.weight").name)),
                "is missing");
  }
  const bool blocks = std::any_of(checkpoint.tensors().begin(), checkpoint.tensors().end(),
                                  [](const TensorView& t) { return IsBlockFormat(t.info.type); });
  const bool fold = options.profile == Profile::kRotated && (options.requantize || !blocks);
  Network network{.graph = Graph(fold ? Graph::Norms::kFolded : Graph::Norms::kKept),
                  .config = ConfigReader(checkpoint, family->name),
                  .has = [&](std::string_view role) { return finder.Find(role) != nullptr; },
                  .n_vocab = embedding->info.shape.front(),
                  .tied_by_default = family->tied_by_default,
                  .heads_stay = options.heads_stay};
  network.vocab = network.graph.AddSpace("vocab", network.n_vocab);
  Builder builder(network);
  ISOVEIL_RETURN_IF_ERROR(family->declare(builder));

  BoundModel model{.family = family,
                   .config = std::move(network.config),
                   .format = checkpoint.kind(),
                   .profile = options.profile,
                   .graph = std::move(network.graph),
                   .n_vocab = network.n_vocab,
                   .tied_head = network.tied_head,
                   .requantize = options.requantize,
                   .client_head = std::move(network.client_head)};
  const std::set<std::string, std::less<>> roles = RolesRead(model.graph);
  for (const auto& [role, why] : network.unread) finder.Claim(role, model.graph, why, model.tensors);
  for (const std::string& role : roles) finder.Claim(role, model.graph, "", model.tensors);
  finder.DropBuffers(model.tensors);
  ISOVEIL_RETURN_IF_ERROR(CheckNothingLeft(finder.unclaimed(), *family));
  // The views lie in file order.
  std::sort(model.tensors.begin(), model.tensors.end(),
            [](const BoundTensor& a, const BoundTensor& b) { return a.tensor < b.tensor; });

  for (const BoundTensor& tensor : model.tensors) {
    ISOVEIL_RETURN_IF_ERROR(CheckUpdate(tensor));
    if (tensor.dropped.empty()) ISOVEIL_RETURN_IF_ERROR(BindSlices(tensor, model.graph, model.slices));
  }
  for (const std::string& role : roles) {
    const Weight* weight = model.graph.FindWeight(role);
    const std::string& source = weight == nullptr ? role : weight->source;
    if (!model.slices.contains(source)) {
      return Fail(ErrorCode::kNotFound, fmt::format("weight {}", source),
                  "no stored tensor holds it, but the family needs it", "the checkpoint is incomplete");
    }
  }

  for (const Weight& weight : model.graph.weights()) {
    const DType type = model.slices.at(weight.source).slice.type;
    if (!(IsBlockFormat(type) && options.requantize)) NarrowToStorage(weight, type, model.graph);
  }
  for (SpaceId id = 0; id < model.graph.spaces().size(); ++id) {
    model.graph.Narrow(id, Group::AllowedBy(options.profile));
  }
  if (!options.powers_of_two) NarrowToUnscaled(model.graph);
  return model;
}

}  // namespace isoveil
