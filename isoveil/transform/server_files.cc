#include "isoveil/transform/server_files.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <variant>

#include "isoveil/tokenizer/chat_examples.h"
#include "isoveil/tokenizer/from_hf.h"
#include "isoveil/package/id_fields.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

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
  if (!key.starts_with(architecture) || key.substr(architecture.size(), 1) != ".") return false;
  if (std::holds_alternative<std::vector<std::string>>(value)) return false;
  if (!std::holds_alternative<std::string>(value)) return true;
  key.remove_prefix(architecture.size() + 1);
  return std::find(kKeptStrings.begin(), kKeptStrings.end(), key) != kKeptStrings.end();
}

bool IsTokenizerOrSplit(std::string_view key) { return key.starts_with("tokenizer.") || key.starts_with("split."); }

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

// The end-of-generation ids as the server sees them, EOS first.
Result<std::vector<WireId>> EncryptedStops(const Vocabulary& vocabulary, const VocabCipher& cipher) {
  std::vector<PlainId> plain;
  const SpecialIds& special = vocabulary.special_ids();
  if (special.eos) plain.push_back(*special.eos);
  for (const PlainId id : special.end_of_generation) {
    if (id != special.eos) plain.push_back(id);
  }
  return cipher.Encrypt(plain);
}

bool IsNumberOrFlag(const ordered_json& value) { return value.is_number() || value.is_boolean(); }

// Ids reach every target, encrypted.
bool IsKeptField(const BoundModel& model, const std::string& name) {
  return LooksLikeIds(name) || model.config.IsKept(name) || IsPublicField(*model.family, name);
}

Result<ordered_json> ServerConfig(const BoundModel& model, const ordered_json& config,
                                  const VocabCipher& cipher, bool untied) {
  ordered_json kept = ordered_json::object();
  for (const auto& [name, value] : config.items()) {
    if (IsKeptField(model, name)) kept[name] = value;
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string hf_class, HfClassName(config));
  kept["architectures"] = {hf_class};
  kept["vocab_size"] = model.n_vocab;
  if (untied) kept["tie_word_embeddings"] = false;
  ISOVEIL_RETURN_IF_ERROR(EncryptIdFields(cipher, IdFormat::kHfConfig, kept, "config.json"));
  return kept;
}

// Sampling defaults are numbers and flags; anything else may be text. GGUF has none.
bool IsKeptDefault(const std::string& name, const ordered_json& value, FormatKind target) {
  if (LooksLikeIds(name)) return true;
  return target == FormatKind::kHuggingFace && IsNumberOrFlag(value) && !name.starts_with("_");
}

Result<ordered_json> ServerGeneration(const ordered_json& config, const VocabCipher& cipher) {
  ordered_json kept = ordered_json::object();
  for (const auto& [name, value] : config.items()) {
    if (IsKeptDefault(name, value, FormatKind::kHuggingFace)) kept[name] = value;
  }
  ISOVEIL_RETURN_IF_ERROR(
      EncryptIdFields(cipher, IdFormat::kHfGenerationConfig, kept, "generation_config.json"));
  return kept;
}

std::string IndexJson(const Plan& plan) {
  ordered_json map = ordered_json::object();
  for (const ShardPlan& shard : plan.shards) {
    for (const TensorPlan& tensor : shard.tensors) map[tensor.info.name] = shard.file;
  }
  return ordered_json{{"metadata", {{"total_size", plan.TotalBytes()}}}, {"weight_map", std::move(map)}}.dump(
             2) +
         "\n";
}

}  // namespace

Result<GgufMetadata> ReadVocabulary(const Checkpoint& checkpoint, uint64_t n_vocab) {
  if (const HfFolder* hf = checkpoint.hf()) return VocabularyFromHf(hf->path(), n_vocab);
  GgufMetadata vocabulary;
  for (const auto& [key, value] : checkpoint.gguf()->metadata()) {
    if (key.starts_with("tokenizer.")) vocabulary.Set(key, value);
  }
  return vocabulary;
}

bool HasPlaceholderVocabulary(const Checkpoint& checkpoint) {
  if (const HfFolder* hf = checkpoint.hf()) {
    const auto text = ReadTextFile(hf->path() / "tokenizer.json");
    return text && text->find("\"vocab\":{\"t0000") != std::string::npos;
  }
  const auto tokens = checkpoint.gguf()->metadata().GetStrings("tokenizer.ggml.tokens");
  return tokens && !tokens->empty() && tokens->front().starts_with("t0000");
}

Result<GgufDescription> DescribeGguf(const BoundModel& model, const Checkpoint& checkpoint) {
  if (checkpoint.hf() != nullptr) return Convert(model);
  return TakeOver(model, checkpoint.gguf()->metadata());
}

std::vector<std::string> DroppedFields(const BoundModel& model, const Checkpoint& checkpoint, FormatKind target) {
  std::vector<std::string> dropped;
  const HfFolder* hf = checkpoint.hf();
  if (hf == nullptr) {
    for (const auto& [key, value] : checkpoint.gguf()->metadata()) {
      if (!IsTokenizerOrSplit(key) && !IsKeptGgufKey(key, value, model.family->name)) dropped.push_back(key);
    }
    return dropped;
  }
  // What a conversion reads is carried, in other words.
  ConfigReader converted = model.config;
  if (target == FormatKind::kGguf) (void)ConvertDescription(*model.family, converted, model.n_vocab);
  for (const auto& [name, value] : hf->config().items()) {
    const bool kept = target == FormatKind::kGguf ? LooksLikeIds(name) || converted.IsKept(name) : IsKeptField(model, name);
    if (!kept) dropped.push_back("config.json: " + name);
  }
  if (hf->generation_config() == nullptr) return dropped;
  for (const auto& [name, value] : hf->generation_config()->items()) {
    if (!IsKeptDefault(name, value, target)) dropped.push_back("generation_config.json: " + name);
  }
  return dropped;
}

Result<ServerFiles> DescribeServer(const BoundModel& model, const Checkpoint& checkpoint, const Plan& plan,
                                   const GgufMetadata& base, const VocabCipher& cipher,
                                   const Vocabulary& vocabulary) {
  ServerFiles server;
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<WireId> stops, EncryptedStops(vocabulary, cipher));
  ISOVEIL_ASSIGN_OR_RETURN(const PlaceholderVocabulary placeholder,
                           PlaceholderVocabulary::Make(model.n_vocab, std::move(stops)));
  if (plan.target == FormatKind::kGguf) {
    server.gguf = base;
    ISOVEIL_RETURN_IF_ERROR(placeholder.AddTo(server.gguf));
    return server;
  }
  const HfFolder& hf = *checkpoint.hf();
  const bool untied = model.tied_head && model.graph.FindWeight("output.weight") != nullptr;
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json config,
                           ServerConfig(model, hf.config(), cipher, untied));
  server.texts.push_back({"config.json", config.dump(2) + "\n"});
  if (hf.generation_config() != nullptr) {
    ISOVEIL_ASSIGN_OR_RETURN(const ordered_json generation,
                             ServerGeneration(*hf.generation_config(), cipher));
    server.texts.push_back({"generation_config.json", generation.dump(2) + "\n"});
  }
  for (TextFile& file : placeholder.HfFiles()) server.texts.push_back(std::move(file));
  if (plan.shards.size() > 1) server.texts.push_back({"model.safetensors.index.json", IndexJson(plan)});
  return server;
}

Result<std::vector<TextFile>> ClientTexts(const Checkpoint& checkpoint) {
  std::vector<TextFile> texts;
  const HfFolder* hf = checkpoint.hf();
  if (hf == nullptr) return texts;
  for (const Path& path : hf->tokenizer_files()) {
    ISOVEIL_ASSIGN_OR_RETURN(std::string text, ReadTextFile(path));
    texts.push_back({path.filename().string(), std::move(text)});
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> examples, ReadChatExamples(hf->path()));
  if (!examples.empty()) texts.push_back({kChatExamplesFile, ordered_json(examples).dump(1) + "\n"});
  return texts;
}

}  // namespace isoveil
