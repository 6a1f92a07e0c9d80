// Architectures as declarations: dimensions, operations, tensor names.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const Architecture* arch, FindArchitecture(checkpoint));
//   ISOVEIL_ASSIGN_OR_RETURN(Hparams hparams, ReadHparams(*arch, checkpoint));
//   Graph graph = arch->declare(hparams, has_role, Graph::Norms::kKept);
//
// Adding an architecture is adding one file in architectures/ and one line in its table: which config
// fields give the dimensions, which operations it is made of (graph.h), and how each format names and
// stores the weights. Weights have canonical names, "roles": llama.cpp's names ("blk.3.attn_q.weight"),
// because they are short and alike across architectures. "{}" in a pattern stands for the layer.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/algebra/rope.h"
#include "isoveil/base/result.h"
#include "isoveil/format/checkpoint.h"
#include "isoveil/format/gguf.h"
#include "isoveil/model/graph.h"

namespace isoveil {

// The dimensions that declarations need, by the field's standard names.
struct Hparams {
  uint64_t n_layers = 0;
  uint64_t width = 0;
  uint64_t ffn_width = 0;
  uint64_t n_heads = 0;
  uint64_t kv_heads = 0;
  uint64_t head_dim = 0;
  uint64_t rotary_dim = 0;
  uint64_t n_positions = 0;
  uint64_t n_vocab = 0;  // rows of the embedding, unused ones included
  bool tied_head = false;
};

// One dimension and the field that holds it in config.json and, after "<architecture>.", in GGUF.
// An empty name or a missing field leaves the default, which may use the fields read before it.
struct HparamField {
  uint64_t Hparams::*member;
  std::string_view hf;
  std::string_view gguf;
  uint64_t (*fallback)(const Hparams&) = nullptr;  // null: the field is required
};

// How one stored tensor holds one or more weights.
struct StoredTensor {
  std::string name;                // pattern in the format
  std::vector<std::string> roles;  // patterns; several are stacked along the output axis
  bool transposed = false;         // the input axis comes first
  bool unprefixed = false;         // never carries one of FormatNames::prefixes
};

struct FormatNames {
  std::vector<StoredTensor> tensors;
  // What checkpoints in the wild put before a name, besides nothing, as those saved from the bare model do.
  // Engines expect the first.
  std::vector<std::string> prefixes;
  // Which coordinates of a head RoPE pairs.
  RopeLayout::Pairing pairing = RopeLayout::Pairing::kRotateHalf;
  // Buffers that engines recompute: dropped, and listed as such.
  std::vector<std::string> buffers;
};

// One scalar of a GGUF file and the config.json field it comes from.
struct GgufField {
  std::string_view gguf;  // after "<architecture>."
  std::string_view hf;
  enum class Type { kU32, kF32 } type;
};

// A public tensor that one format stores and the other derives from its configuration.
struct DerivedTensor {
  std::string role;
  std::vector<float> values;
};

// A class of transformers that computes the architecture, as config.json's "architectures" names it.
struct HfClass {
  std::string_view name;
  // Stands for the class where "architectures" is missing; empty for none.
  std::string_view model_type;
  // Other names that mean it: older ones, and that of the model without its head, whose checkpoint serves as a
  // whole one where the head is tied.
  std::vector<std::string_view> aliases;
};

struct Architecture {
  std::string_view name;  // also GGUF's general.architecture
  std::vector<HfClass> hf_classes;
  std::vector<HparamField> hparams;
  FormatNames hf;
  FormatNames gguf;
  // What a config.json without tie_word_embeddings means.
  bool tied_by_default = false;
  // States the operations. `has` tells whether the checkpoint holds an optional weight (a bias).
  Graph (*declare)(const Hparams&, const std::function<bool(std::string_view role)>& has, Graph::Norms);

  // config.json fields that an engine needs and that say nothing of the model's origin; all other
  // fields but token ids are dropped.
  std::vector<std::string_view> hf_config_fields;
  // config.json fields whose value must be one of these for the declaration to hold.
  struct Requirement {
    std::string_view field;
    std::vector<nlohmann::json> accepted;  // null accepts a missing field
    std::string_view why;
  };
  std::vector<Requirement> requirements;

  // Hugging Face to GGUF: what llama.cpp's graph takes for granted, scalars, and what is more than a scalar, with the
  // fields that it is derived from.
  std::vector<Requirement> gguf_requirements;
  std::vector<GgufField> gguf_fields;
  std::vector<std::string_view> gguf_derived_fields;
  Result<std::vector<DerivedTensor>> (*derive_gguf)(const nlohmann::json& config, const Hparams&,
                                                    GgufMetadata&) = nullptr;
  // Weights that GGUF stores in fp32 whatever the source has, besides vectors.
  std::vector<std::string> gguf_f32_roles;
};

// All declared architectures.
std::span<const Architecture* const> Architectures();

// The architecture of a checkpoint; kUnsupported names what was found and what is supported.
Result<const Architecture*> FindArchitecture(const Checkpoint& checkpoint);

// The name of the class that engines know the model of a config.json by. The errors of FindArchitecture.
Result<std::string> HfClassName(const nlohmann::json& config);

// Reads and checks the dimensions. kFormat or kNotFound names the field; kUnsupported names a value that
// the declaration does not cover. n_vocab and tied_head are left to binding.
Result<Hparams> ReadHparams(const Architecture& architecture, const Checkpoint& checkpoint);

// kUnsupported names a field of config.json whose value llama.cpp does not compute.
Status CheckGgufRequirements(const Architecture& architecture, const nlohmann::json& config);

// Whether a field of config.json reaches the target: as it stands, in weights or in other fields, or because only one
// value is accepted. All others are dropped.
bool IsCarried(const Architecture& architecture, std::string_view config_field, FormatKind target);

const FormatNames& NamesIn(const Architecture& architecture, FormatKind format);

// `pattern` with "{}" replaced by the layer.
std::string LayerName(std::string_view pattern, uint64_t layer);
inline bool IsLayerPattern(std::string_view pattern) { return pattern.find("{}") != std::string_view::npos; }

// The stored tensors of all layers: patterns instantiated, roles and names alike.
std::vector<StoredTensor> InstantiateTensors(const FormatNames& names, uint64_t n_layers);

}  // namespace isoveil
