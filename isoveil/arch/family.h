// Families of networks as declarations.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const Family* family, FindFamily(checkpoint));
//   ISOVEIL_RETURN_IF_ERROR(family->declare(builder));
//
// Adding a family is adding one file in families/ and one line in its table: which operations it is made of (builder.h,
// blocks.h), how transformers spells its weights (dialect.h), and what a conversion to GGUF needs besides.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/arch/builder.h"
#include "isoveil/arch/dialect.h"

namespace isoveil {

// A class of transformers that computes the family, as config.json's "architectures" names it.
struct HfClass {
  std::string_view name;
  // Stands for the class where "architectures" is missing; empty for none.
  std::string_view model_type;
  // Other names that mean it: older ones, and that of the model without its head, whose checkpoint serves as a
  // whole one where the head is tied.
  std::vector<std::string_view> aliases;
};

// A public tensor that one format stores and the other derives from its configuration.
struct DerivedTensor {
  std::string role;
  std::vector<float> values;
};

// The "general.*" and "<architecture>.*" keys of a GGUF with the model's dimensions, and the tensors that only GGUF
// stores.
struct GgufDescription {
  std::string architecture;
  GgufMetadata metadata;
  std::vector<DerivedTensor> derived;

  // Under the architecture's prefix.
  void Set(std::string_view key, GgufValue value) {
    metadata.Set(fmt::format("{}.{}", architecture, key), std::move(value));
  }
};

struct Family {
  std::string_view name;
  std::vector<HfClass> hf_classes;
  Dialect hf;
  Dialect gguf;
  // What a config.json without tie_word_embeddings means.
  bool tied_by_default = false;
  // Members of config.json that engines need and that say nothing of the model's origin, besides those that `declare`
  // reads and those that all families share. All others but token ids are dropped.
  std::vector<std::string_view> public_fields;

  // States the network. kUnsupported names a value of the configuration that the declaration does not cover.
  Status (*declare)(Builder&) = nullptr;
  // Hugging Face to GGUF, beyond the fields that `declare` reads and GGUF has. kUnsupported names what llama.cpp would
  // compute otherwise. Null for a family that is not read from or written to GGUF.
  Status (*to_gguf)(ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) = nullptr;
  // general.architecture of GGUF, where that is another family's name: a GGUF of it is read as the other.
  std::string_view gguf_architecture = {};
};

// All families.
std::span<const Family> Families();

// The family of a checkpoint; kUnsupported names what was found and what is supported.
Result<const Family*> FindFamily(const Checkpoint& checkpoint);

// The name of the class that engines know the model of a config.json by. The errors of FindFamily.
Result<std::string> HfClassName(const nlohmann::json& config);

// general.architecture of GGUF.
std::string_view GgufArchitecture(const Family& family);

const Dialect& DialectOf(const Family& family, FormatKind format);

// Members of config.json that engines of every family need and that say nothing of the model's origin.
bool IsPublicField(const Family& family, std::string_view name);

// Hugging Face to GGUF: the description, and in `config` what was read for it.
Result<GgufDescription> ConvertDescription(const Family& family, ConfigReader& config, uint64_t n_vocab);

}  // namespace isoveil
