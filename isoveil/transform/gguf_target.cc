// GGUF: metadata and tensors in one file, or split; vectors in fp32 as llama.cpp wants them.
#include <algorithm>
#include <array>
#include <variant>

#include "isoveil/format/gguf.h"
#include "isoveil/package/id_fields.h"
#include "isoveil/transform/targets.h"

namespace isoveil {
namespace {

// GGUF strings that describe the computation and not the model's origin.
constexpr std::array<std::string_view, 2> kKeptStrings = {"rope.scaling.type", "attention.type"};
constexpr std::array<std::string_view, 3> kKeptGeneral = {"general.architecture", "general.file_type",
                                                          "general.quantization_version"};

// llama.cpp's numbers for "what most weights are stored as".
uint32_t GgufFileType(const BoundModel& model) {
  switch (model.slices.at("token_embd.weight").slice.type) {
    case DType::kF16: return 1;
    case DType::kBF16: return 32;
    default: return 0;
  }
}

bool IsKeptGgufKey(std::string_view key, const GgufValue& value, std::string_view architecture) {
  if (std::find(kKeptGeneral.begin(), kKeptGeneral.end(), key) != kKeptGeneral.end()) return true;
  if (key == kTokenTypeCountKey) return true;
  if (!key.starts_with(architecture) || key.substr(architecture.size(), 1) != ".") return false;
  if (std::holds_alternative<std::vector<std::string>>(value)) return false;
  if (!std::holds_alternative<std::string>(value)) return true;
  key.remove_prefix(architecture.size() + 1);
  return std::find(kKeptStrings.begin(), kKeptStrings.end(), key) != kKeptStrings.end();
}

// Of the tokenizer's keys, one that is a dimension of the model.
bool IsTokenizerOrSplit(std::string_view key) {
  return (key.starts_with("tokenizer.") && key != kTokenTypeCountKey) || key.starts_with("split.");
}

GgufDescription TakeOver(const BoundModel& model, const GgufMetadata& source) {
  GgufDescription description{.architecture = std::string(model.family->name), .metadata = {}, .derived = {}};
  for (const auto& [key, value] : source) {
    if (!IsTokenizerOrSplit(key) && IsKeptGgufKey(key, value, model.family->name)) {
      description.metadata.Set(key, value);
    }
  }
  return description;
}

Result<GgufDescription> Convert(const BoundModel& model) {
  ConfigReader config = model.config;
  ISOVEIL_ASSIGN_OR_RETURN(GgufDescription description, ConvertDescription(*model.family, config, model.n_vocab));
  description.metadata.Set("general.file_type", GgufFileType(model));
  description.metadata.Set("general.quantization_version", uint32_t{2});
  return description;
}

DType TypeInGguf(const BoundModel& model, const StoredTensor& stored, const Weight& weight) {
  const DType type = model.slices.at(weight.source).slice.type;
  const bool vector = weight.shape.size() == 1;
  return vector || stored.fp32 || type == DType::kF64 ? DType::kF32 : type;
}

class Gguf final : public Target {
 public:
  FormatKind kind() const override { return FormatKind::kGguf; }
  std::string_view extension() const override { return ".gguf"; }
  bool RunsOnLlamaCpp() const override { return true; }
  // llama.cpp drops or changes them: BERT's pooler, DistilBERT's ReLU.
  bool HasEncoderHeads() const override { return false; }

  Result<GgufDescription> Header(const BoundModel& model, const Checkpoint& source) const override {
    if (source.hf() != nullptr) return Convert(model);
    return TakeOver(model, source.gguf()->metadata());
  }

  // Weights of different types in one tensor meet in fp32.
  Result<DType> TypeOf(const BoundModel& model, const StoredTensor& stored) const override {
    const DType type = TypeInGguf(model, stored, *model.graph.FindWeight(stored.roles.front()));
    for (const std::string& role : stored.roles) {
      if (TypeInGguf(model, stored, *model.graph.FindWeight(role)) != type) return DType::kF32;
    }
    return type;
  }

  Result<FileLayout> LayOut(const Plan& plan, size_t shard, const GgufMetadata& header) const override {
    const std::vector<TensorInfo> infos = plan.shards[shard].Infos();
    if (plan.shards.size() == 1) return LayOutGguf(header, infos);
    // The first shard of a split carries the metadata; all say which they are.
    GgufMetadata metadata = shard == 0 ? header : GgufMetadata();
    size_t tensors = 0;
    for (const ShardPlan& one : plan.shards) tensors += one.tensors.size();
    metadata.Set("split.no", static_cast<uint16_t>(shard));
    metadata.Set("split.count", static_cast<uint16_t>(plan.shards.size()));
    metadata.Set("split.tensors.count", static_cast<int32_t>(tensors));
    return LayOutGguf(metadata, infos);
  }

  Result<std::vector<TensorInfo>> ReadBack(const Path& path) const override {
    ISOVEIL_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::Open(path));
    std::vector<TensorInfo> found;
    for (const TensorView& tensor : file.tensors()) found.push_back(tensor.info);
    return found;
  }

  Result<ServerFiles> Describe(const BoundModel& model, const Checkpoint&, const Plan&, const GgufMetadata& header,
                               const VocabCipher& cipher, const Vocabulary& vocabulary) const override {
    ISOVEIL_ASSIGN_OR_RETURN(const PlaceholderVocabulary placeholder,
                             ServerVocabulary(model.n_vocab, cipher, vocabulary));
    ServerFiles server{.gguf = header, .texts = {}};
    ISOVEIL_RETURN_IF_ERROR(placeholder.AddTo(server.gguf));
    return server;
  }

  std::vector<std::string> DroppedFields(const BoundModel& model, const Checkpoint& source) const override {
    std::vector<std::string> dropped;
    if (source.hf() == nullptr) {
      for (const auto& [key, value] : source.gguf()->metadata()) {
        if (!IsTokenizerOrSplit(key) && !IsKeptGgufKey(key, value, model.family->name)) dropped.push_back(key);
      }
      return dropped;
    }
    // What a conversion reads is carried, in other words; of sampling defaults, ids alone.
    ConfigReader config = model.config;
    (void)ConvertDescription(*model.family, config, model.n_vocab);
    for (const auto& [name, value] : source.hf()->config().items()) {
      if (!LooksLikeIds(name) && !config.IsKept(name)) dropped.push_back("config.json: " + name);
    }
    if (source.hf()->generation_config() == nullptr) return dropped;
    for (const auto& [name, value] : source.hf()->generation_config()->items()) {
      if (!LooksLikeIds(name)) dropped.push_back("generation_config.json: " + name);
    }
    return dropped;
  }
};

}  // namespace

const Target& GgufTarget() {
  static const Gguf target;
  return target;
}

}  // namespace isoveil
