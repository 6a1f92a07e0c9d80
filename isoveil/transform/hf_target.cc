// A Hugging Face folder: config.json, safetensors and a tokenizer of placeholders.
#include <nlohmann/json.hpp>

#include "isoveil/format/safetensors.h"
#include "isoveil/package/id_fields.h"
#include "isoveil/transform/targets.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// Ids reach every target, encrypted.
bool IsKeptField(const BoundModel& model, const std::string& name) {
  return LooksLikeIds(name) || model.config.IsKept(name) || IsPublicField(*model.family, name);
}

// Engines count labels by their names, which stay with the client.
void NameLabels(const BoundModel& model, ordered_json& config) {
  const Ports ports = model.graph.ports();
  const SpaceRecord* labels = ports.SpaceOf(PortKind::kLabels);
  if (labels == nullptr) return;
  for (const char* field : {"id2label", "label2id"}) config[field] = ordered_json::object();
  for (uint64_t i = 0; i < labels->dim; ++i) {
    config["id2label"][std::to_string(i)] = fmt::format("LABEL_{}", i);
    config["label2id"][fmt::format("LABEL_{}", i)] = i;
  }
}

Result<ordered_json> ServerConfig(const BoundModel& model, const ordered_json& config, const VocabCipher& cipher,
                                  bool untied) {
  ordered_json kept = ordered_json::object();
  for (const auto& [name, value] : config.items()) {
    if (IsKeptField(model, name)) kept[name] = value;
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string hf_class, HfClassName(config));
  kept["architectures"] = {hf_class};
  kept["vocab_size"] = model.n_vocab;
  if (untied) kept["tie_word_embeddings"] = false;
  NameLabels(model, kept);
  ISOVEIL_RETURN_IF_ERROR(EncryptIdFields(cipher, IdFormat::kHfConfig, kept, "config.json"));
  return kept;
}

// Sampling defaults are numbers and flags; anything else may be text.
bool IsKeptDefault(const std::string& name, const ordered_json& value) {
  return LooksLikeIds(name) || ((value.is_number() || value.is_boolean()) && !name.starts_with("_"));
}

Result<ordered_json> ServerGeneration(const ordered_json& config, const VocabCipher& cipher) {
  ordered_json kept = ordered_json::object();
  for (const auto& [name, value] : config.items()) {
    if (IsKeptDefault(name, value)) kept[name] = value;
  }
  ISOVEIL_RETURN_IF_ERROR(EncryptIdFields(cipher, IdFormat::kHfGenerationConfig, kept, "generation_config.json"));
  return kept;
}

std::string IndexJson(const Plan& plan) {
  ordered_json map = ordered_json::object();
  for (const ShardPlan& shard : plan.shards) {
    for (const TensorPlan& tensor : shard.tensors) map[tensor.info.name] = shard.file;
  }
  return ordered_json{{"metadata", {{"total_size", plan.TotalBytes()}}}, {"weight_map", std::move(map)}}.dump(2) + "\n";
}

class HuggingFace final : public Target {
 public:
  FormatKind kind() const override { return FormatKind::kHuggingFace; }
  std::string_view extension() const override { return ".safetensors"; }
  bool RunsOnLlamaCpp() const override { return false; }
  bool HasEncoderHeads() const override { return true; }

  // config.json says it.
  Result<GgufDescription> Header(const BoundModel&, const Checkpoint&) const override { return GgufDescription(); }

  Result<DType> TypeOf(const BoundModel&, const StoredTensor&) const override {
    return Fail(ErrorCode::kUnsupported, "target format", "a GGUF file cannot become a Hugging Face folder",
                "encrypt it to GGUF, or start from the Hugging Face folder");
  }

  Result<FileLayout> LayOut(const Plan& plan, size_t shard, const GgufMetadata&) const override {
    return LayOutSafetensors(plan.shards[shard].Infos(), {{"format", "pt"}});
  }

  Result<std::vector<TensorInfo>> ReadBack(const Path& path) const override {
    ISOVEIL_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
    std::vector<TensorInfo> found;
    for (const TensorView& tensor : file.tensors()) found.push_back(tensor.info);
    return found;
  }

  Result<ServerFiles> Describe(const BoundModel& model, const Checkpoint& source, const Plan& plan, const GgufMetadata&,
                               const VocabCipher& cipher, const Vocabulary& vocabulary) const override {
    ISOVEIL_ASSIGN_OR_RETURN(const PlaceholderVocabulary placeholder,
                             ServerVocabulary(model.n_vocab, cipher, vocabulary));
    ServerFiles server;
    const HfFolder& hf = *source.hf();
    const bool untied = model.tied_head && model.graph.FindWeight("output.weight") != nullptr;
    ISOVEIL_ASSIGN_OR_RETURN(const ordered_json config, ServerConfig(model, hf.config(), cipher, untied));
    server.texts.push_back({"config.json", config.dump(2) + "\n"});
    if (hf.generation_config() != nullptr) {
      ISOVEIL_ASSIGN_OR_RETURN(const ordered_json generation, ServerGeneration(*hf.generation_config(), cipher));
      server.texts.push_back({"generation_config.json", generation.dump(2) + "\n"});
    }
    // Engines pool as it says.
    if (const SpaceRecord* vectors = model.graph.ports().SpaceOf(PortKind::kVectors)) {
      for (auto& [name, text] : hf.sentence().Write(vectors->dim)) server.texts.push_back({name, std::move(text)});
    }
    for (TextFile& file : placeholder.HfFiles()) server.texts.push_back(std::move(file));
    if (plan.shards.size() > 1) server.texts.push_back({"model.safetensors.index.json", IndexJson(plan)});
    return server;
  }

  std::vector<std::string> DroppedFields(const BoundModel& model, const Checkpoint& source) const override {
    std::vector<std::string> dropped;
    const HfFolder& hf = *source.hf();
    for (const auto& [name, value] : hf.config().items()) {
      if (!IsKeptField(model, name)) dropped.push_back("config.json: " + name);
    }
    if (hf.generation_config() == nullptr) return dropped;
    for (const auto& [name, value] : hf.generation_config()->items()) {
      if (!IsKeptDefault(name, value)) dropped.push_back("generation_config.json: " + name);
    }
    return dropped;
  }
};

}  // namespace

const Target& HfTarget() {
  static const HuggingFace target;
  return target;
}

}  // namespace isoveil
