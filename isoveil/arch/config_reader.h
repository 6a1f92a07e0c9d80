// The numbers of a model's configuration, whichever format holds it: config.json of Hugging Face or the metadata of
// GGUF.
//
//   ConfigReader config(checkpoint, "llama");
//   ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_heads, config.Count(field::kHeads));
//   ISOVEIL_RETURN_IF_ERROR(config.Accept("hidden_act", {"silu", nullptr}, "the gated product is declared with SiLU"));
//
// The reader remembers what was asked for and found: that is what a server's configuration keeps and what a conversion
// writes, so that a field is named once, where it is used. A field that is absent or null has its default, as in
// transformers. A value; it refers to the checkpoint's configuration, which must live as long, though the checkpoint
// may be moved.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "isoveil/format/checkpoint.h"

namespace isoveil {

// One number under all its names.
struct Field {
  std::string_view name;               // for people: "n_layers"
  std::string_view gguf;               // after "<architecture>.", or whole if it is the tokenizer's; empty: none
  std::array<std::string_view, 5> hf;  // the first that is there counts
};

namespace field {
inline constexpr Field kLayers{"n_layers", "block_count", {"num_hidden_layers", "n_layer", "n_layers", "num_layers"}};
inline constexpr Field kPositions{
    "n_positions", "context_length", {"max_position_embeddings", "n_positions", "max_seq_len", "seq_length"}};
inline constexpr Field kWidth{"width", "embedding_length", {"hidden_size", "n_embd", "d_model", "dim"}};
inline constexpr Field kFfnWidth{
    "ffn_width", "feed_forward_length", {"intermediate_size", "n_inner", "hidden_dim", "ffn_dim", "ffn_hidden_size"}};
inline constexpr Field kHeads{"n_heads", "attention.head_count", {"num_attention_heads", "n_head", "n_heads"}};
inline constexpr Field kKvHeads{"kv_heads", "attention.head_count_kv", {"num_key_value_heads", "num_kv_heads"}};
inline constexpr Field kHeadDim{"head_dim", "attention.key_length", {"head_dim"}};
inline constexpr Field kRotaryDim{"rotary_dim", "rope.dimension_count", {"rotary_dim"}};
inline constexpr Field kRmsEpsilon{"rms_norm_eps", "attention.layer_norm_rms_epsilon", {"rms_norm_eps"}};
inline constexpr Field kLayerNormEpsilon{"layer_norm_eps",
                                         "attention.layer_norm_epsilon",
                                         {"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"}};
inline constexpr Field kExperts{"n_experts", "expert_count", {"num_local_experts", "num_experts", "n_routed_experts"}};
inline constexpr Field kExpertsUsed{"experts_used", "expert_used_count", {"num_experts_per_tok"}};
inline constexpr Field kExpertWidth{"expert_ffn_width", "expert_feed_forward_length", {"moe_intermediate_size"}};
inline constexpr Field kSharedExpertWidth{
    "shared_ffn_width", "expert_shared_feed_forward_length", {"shared_expert_intermediate_size"}};
}  // namespace field

class ConfigReader {
 public:
  ConfigReader(const Checkpoint& checkpoint, std::string_view architecture)
      : hf_(checkpoint.hf()),
        gguf_(checkpoint.gguf()),
        n_tensors_(checkpoint.tensors().size()),
        architecture_(architecture) {}

  // Null for GGUF.
  const nlohmann::ordered_json* hf() const;
  // How vectors of a text become one: as the declaration needs it, else as the folder says; nothing where neither does,
  // and for GGUF.
  std::optional<Pooling> pooling() const;
  void NeedPooling(Pooling pooling) { needed_pooling_ = pooling; }

  // A dimension: 1 to 2^24. kNotFound names the field if it is missing and has no default, kFormat what is wrong with
  // it.
  Result<uint64_t> Count(const Field& field, std::optional<uint64_t> otherwise = std::nullopt);
  // The layers, each of which has tensors of its own: kFormat names the field if the checkpoint holds fewer tensors.
  Result<uint64_t> Layers();
  // An engine's number that no declaration needs, such as an epsilon: kept where it is found.
  Status Keep(const Field& field);
  // Of config.json: one of these values, of which null accepts a missing field. kUnsupported says why not.
  Status Accept(std::string_view name, const std::vector<nlohmann::json>& values, std::string_view why);
  // Members of config.json that are read by hand, or that an engine needs as they are.
  void Keep(std::initializer_list<std::string_view> names) { kept_.insert(names.begin(), names.end()); }

  // Fields that were asked for and found, in that order.
  struct Found {
    Field field;
    std::variant<uint64_t, double> value;
  };
  const std::vector<Found>& found() const { return found_; }
  // Whether a member of config.json was asked for.
  bool IsKept(std::string_view name) const { return kept_.contains(name); }
  // The key under which GGUF has a field of an architecture.
  static std::string GgufKey(const Field& field, std::string_view architecture);
  // All counts that were read, defaults too.
  const std::vector<std::pair<std::string, uint64_t>>& counts() const { return counts_; }
  // The one of that name; nothing if it was not read.
  std::optional<uint64_t> counted(const Field& field) const;

 private:
  struct Member {
    std::string_view name;
    const nlohmann::ordered_json* value;
  };
  // The member of config.json that holds the field, if any.
  std::optional<Member> FindMember(const Field& field);
  std::string Where(const Field& field);

  const HfFolder* hf_;
  const GgufModel* gguf_;
  std::optional<Pooling> needed_pooling_;
  size_t n_tensors_;
  std::string architecture_;
  std::set<std::string, std::less<>> kept_;
  std::vector<Found> found_;
  std::vector<std::pair<std::string, uint64_t>> counts_;
};

}  // namespace isoveil
