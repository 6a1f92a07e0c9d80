#include "isoveil/model/bind.h"

#include <algorithm>
#include <set>

#include "isoveil/tensor/computed.h"

namespace isoveil {
namespace {

using TensorsByName = std::map<std::string, const TensorView*, std::less<>>;

bool IsMatrix(const Shape& shape) { return shape.size() == 2; }

// A vector is a matrix of one row.
uint64_t Rows(const Shape& shape) { return IsMatrix(shape) ? shape[0] : 1; }
uint64_t Cols(const Shape& shape) { return shape.back(); }

// The names under which a checkpoint may hold `name`.
std::vector<std::string> Spellings(const FormatNames& names, const std::string& name) {
  std::vector<std::string> spellings = {name};
  for (const std::string& prefix : names.prefixes) spellings.push_back(prefix + name);
  return spellings;
}

// The stored tensors that the checkpoint has, with their actual names.
std::vector<BoundTensor> FindStored(const FormatNames& names, uint64_t n_layers, TensorsByName& unclaimed) {
  std::vector<BoundTensor> found;
  for (StoredTensor& stored : InstantiateTensors(names, n_layers)) {
    for (const std::string& name : Spellings(names, stored.name)) {
      const auto it = unclaimed.find(name);
      if (it == unclaimed.end()) continue;
      stored.name = it->first;
      found.push_back({it->second, std::move(stored), ""});
      unclaimed.erase(it);
      break;
    }
  }
  return found;
}

void DropBuffers(const FormatNames& names, uint64_t n_layers, TensorsByName& unclaimed,
                 std::vector<BoundTensor>& tensors) {
  for (const std::string& pattern : names.buffers) {
    for (uint64_t layer = 0; layer < (IsLayerPattern(pattern) ? n_layers : 1); ++layer) {
      for (const std::string& name : Spellings(names, LayerName(pattern, layer))) {
        const auto it = unclaimed.find(name);
        if (it == unclaimed.end()) continue;
        tensors.push_back({it->second, {.name = it->first, .roles = {}}, "a buffer that engines recompute"});
        unclaimed.erase(it);
      }
    }
  }
}

// Whether the head shares the embedding: as config.json says, or as the missing tensor says.
Result<bool> IsHeadTied(const Checkpoint& checkpoint, const Architecture& architecture, bool head_is_stored) {
  if (checkpoint.hf() == nullptr) return !head_is_stored;
  const nlohmann::json tie = checkpoint.hf()->config().value("tie_word_embeddings", nlohmann::json());
  const bool tied = tie.is_boolean() ? tie.get<bool>() : architecture.tied_by_default;
  if (!tied && !head_is_stored) {
    return Fail(ErrorCode::kNotFound, "lm_head.weight",
                "is missing, and config.json does not tie it to the embedding",
                "set tie_word_embeddings to true if the model shares them");
  }
  return tied;
}

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
  return Fail(ErrorCode::kMismatch, where, "fan_in_fan_out of the LoRA adapter says that it is stored the other way round",
              "correct fan_in_fan_out in adapter_config.json");
}

bool IsUsable(DType type) { return IsPlainFloat(type) || IsBlockFormat(type); }

// The weight of each role that the graph reads.
std::set<std::string, std::less<>> RolesRead(const Graph& graph) {
  std::set<std::string, std::less<>> roles;
  for (const Weight& weight : graph.weights()) {
    if (!weight.constant) roles.insert(weight.source);
    roles.insert(weight.role);
    for (const std::string* role :
         {&weight.gain, &weight.plus_matrix, &weight.plus_vector, &weight.divisor}) {
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
  std::vector<Shape> shapes;
  for (const std::string& role : bound.stored.roles) {
    const Weight* weight = graph.FindWeight(role);
    if (weight == nullptr) {
      return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(info.name)),
                  fmt::format("the architecture does not use {} here", role),
                  "it would need an operation in the architecture's declaration");
    }
    shapes.push_back(weight->shape);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const TensorLayout layout, LayOutTensor(bound.stored, shapes, info.type));
  ISOVEIL_RETURN_IF_ERROR(CheckShape(bound, layout));
  for (size_t i = 0; i < layout.slices.size(); ++i) {
    slices[bound.stored.roles[i]] = {bound.tensor, layout.slices[i]};
  }
  return Ok();
}

bool HasBlockFormat(const std::vector<BoundTensor>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const BoundTensor& t) { return IsBlockFormat(t.tensor->info.type); });
}

// "blk.0.ffn_up.scale" of NVFP4 in GGUF; "weight_scale", "weight_scale_inv" and "input_scale" of FP8 folders.
bool IsScaleOfWeights(std::string_view name) { return name.ends_with("scale") || name.ends_with("scale_inv"); }

Status CheckNothingLeft(const TensorsByName& unclaimed, const Architecture& architecture) {
  if (unclaimed.empty()) return Ok();
  for (const auto& [name, tensor] : unclaimed) {
    if (!IsScaleOfWeights(name)) continue;
    return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(name)),
                "holds a scale apart from the quantised weights that it belongs to (NVFP4, FP8), which has no rule here",
                "encrypt the unquantised checkpoint to GGUF, and run llama-quantize on the result");
  }
  return Fail(
      ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(unclaimed.begin()->first)),
      fmt::format("architecture {} declares no such weight ({} tensor{} left over)", architecture.name,
                  unclaimed.size(), unclaimed.size() == 1 ? " is" : "s are"),
      "it would be left in plaintext; it needs an operation and a name in the architecture's declaration");
}

}  // namespace

Result<TensorLayout> LayOutTensor(const StoredTensor& stored, std::span<const Shape> role_shapes,
                                  DType type) {
  const bool blocks = IsBlockFormat(type);
  if (blocks && stored.transposed) {
    return Fail(ErrorCode::kUnsupported, fmt::format("tensor {}", Quoted(stored.name)),
                "block formats cannot be transposed");
  }
  const bool matrix = IsMatrix(role_shapes.front());
  const uint64_t inputs = matrix ? Cols(role_shapes.front()) : 1;
  uint64_t outputs = 0;
  for (const Shape& shape : role_shapes) outputs += matrix ? Rows(shape) : Cols(shape);

  TensorLayout layout;
  layout.shape = !matrix             ? Shape{outputs}
                 : stored.transposed ? Shape{inputs, outputs}
                                     : Shape{outputs, inputs};
  const uint64_t element = BlockBytes(type);
  const auto row_bytes = RowBytes(type, layout.shape.back());
  if (!row_bytes) {
    return Fail(
        ErrorCode::kFormat, fmt::format("tensor {}", Quoted(stored.name)),
        fmt::format("{} columns are no whole number of {} blocks", layout.shape.back(), DTypeName(type)));
  }
  uint64_t done = 0;
  for (const Shape& shape : role_shapes) {
    const uint64_t count = matrix ? Rows(shape) : Cols(shape);
    MatrixSlice slice{.type = type, .rows = Rows(shape), .cols = Cols(shape)};
    slice.col_stride = blocks ? 0 : element;
    slice.row_stride = *row_bytes;
    slice.offset = matrix ? done * *row_bytes : done * element;
    if (stored.transposed && matrix) {
      slice.row_stride = element;
      slice.col_stride = *row_bytes;
      slice.offset = done * element;
    }
    layout.slices.push_back(slice);
    done += count;
  }
  return layout;
}

Result<BoundModel> Bind(const Checkpoint& checkpoint, const BindOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const Architecture* architecture, FindArchitecture(checkpoint));
  ISOVEIL_ASSIGN_OR_RETURN(Hparams hparams, ReadHparams(*architecture, checkpoint));
  const FormatNames& names = NamesIn(*architecture, checkpoint.kind());

  TensorsByName unclaimed;
  for (const TensorView& tensor : checkpoint.tensors()) unclaimed.emplace(tensor.info.name, &tensor);
  std::vector<BoundTensor> tensors = FindStored(names, hparams.n_layers, unclaimed);
  DropBuffers(names, hparams.n_layers, unclaimed, tensors);
  ISOVEIL_RETURN_IF_ERROR(CheckNothingLeft(unclaimed, *architecture));
  // The views lie in file order.
  std::sort(tensors.begin(), tensors.end(),
            [](const BoundTensor& a, const BoundTensor& b) { return a.tensor < b.tensor; });

  std::map<std::string, const BoundTensor*, std::less<>> by_role;
  for (const BoundTensor& tensor : tensors) {
    for (const std::string& role : tensor.stored.roles) by_role[role] = &tensor;
  }
  const auto embedding = by_role.find("token_embd.weight");
  if (embedding == by_role.end()) {
    return Fail(ErrorCode::kNotFound, fmt::format("tensor {}", Quoted(names.tensors.front().name)),
                "is missing");
  }
  hparams.n_vocab = embedding->second->tensor->info.shape.front();
  ISOVEIL_ASSIGN_OR_RETURN(hparams.tied_head,
                           IsHeadTied(checkpoint, *architecture, by_role.contains("output.weight")));

  const bool fold = options.profile == Profile::kRotated && (options.requantize || !HasBlockFormat(tensors));
  const auto has = [&](std::string_view role) { return by_role.contains(role); };
  BoundModel model{architecture,
                   hparams,
                   checkpoint.kind(),
                   options.profile,
                   architecture->declare(hparams, has, fold ? Graph::Norms::kFolded : Graph::Norms::kKept),
                   {},
                   {}};
  for (BoundTensor& tensor : tensors) {
    if (hparams.tied_head && tensor.stored.roles == std::vector<std::string>{"output.weight"}) {
      tensor.dropped = "a copy of the embedding, to which the head is tied";
    }
    ISOVEIL_RETURN_IF_ERROR(CheckUpdate(tensor));
    if (tensor.dropped.empty()) ISOVEIL_RETURN_IF_ERROR(BindSlices(tensor, model.graph, model.slices));
  }
  for (const std::string& role : RolesRead(model.graph)) {
    const Weight* weight = model.graph.FindWeight(role);
    const std::string& source = weight == nullptr ? role : weight->source;
    if (!model.slices.contains(source)) {
      return Fail(ErrorCode::kNotFound, fmt::format("weight {}", source),
                  "no stored tensor holds it, but the architecture needs it", "the checkpoint is incomplete");
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
  model.tensors = std::move(tensors);
  return model;
}

}  // namespace isoveil
