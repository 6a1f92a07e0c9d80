// How a format spells the weights of a family.
//
//   Dialect hf = LlamaDialect();                          // "blk.{}.attn_q" is "layers.{}.self_attn.q_proj"
//   hf.Find("blk.3.attn_q.weight").name;                  // "layers.3.self_attn.q_proj.weight"
//
// Weights have canonical names, "roles": llama.cpp's, because they are short and alike across families. What a dialect
// does not list is spelled as its role: a GGUF dialect lists only what is stored otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isoveil/algebra/rope.h"

namespace isoveil {

// How one stored tensor holds one or more weights.
struct StoredTensor {
  std::string name;                // in the format, without a prefix
  std::vector<std::string> roles;  // several are stacked along the output axis
  bool transposed = false;         // of a matrix the input axis comes first
  bool unprefixed = false;         // never carries one of Dialect::prefixes
  float origin = 0;                // what a stored 0 of the weight, not of the bias, stands for: 1 for gains less 1
  bool unstored = false;           // the format has no place for it: dropped
  bool by_head = false;            // what is stacked takes turns: all of one key/value head, then all of the next
  bool experts = false;            // of all experts of a layer, {n_experts, outputs, inputs}; `roles` names one
  bool flat = false;               // a matrix with one row, stored as a vector
  bool fp32 = false;               // a conversion stores it in fp32 whatever the source has, as it does vectors
};

struct Dialect {
  // Names without ".weight" and ".bias", with "{}" for numbers.
  std::vector<StoredTensor> modules;
  // What checkpoints in the wild put before a name, besides nothing, as those saved from the bare model do.
  // Engines expect the first.
  std::vector<std::string> prefixes = {};
  // Buffers that engines recompute, such as "layers.{}.rotary_emb.inv_freq": dropped, and listed as such.
  std::vector<std::string> buffers = {};
  // Which coordinates of a head RoPE pairs.
  RopeLayout::Pairing pairing = RopeLayout::Pairing::kRotateHalf;

  // The stored tensor that holds a weight, with the numbers of this one.
  StoredTensor Find(std::string_view role) const;
  // The names under which a checkpoint may hold a tensor.
  std::vector<std::string> Spellings(const StoredTensor& stored) const;
  // `name`, with the usual prefix where a bare model has none.
  std::string Prefixed(const StoredTensor& stored) const;
  bool IsBuffer(std::string_view name) const;
  // The same with these modules in the place of those of the same name or roles.
  Dialect With(std::vector<StoredTensor> other) const;
};

// Llama's of transformers, which many families share.
Dialect LlamaDialect();

// GGUF's of experts: the matrices of a layer's stand in one tensor, and what decides between them is stored in fp32.
std::vector<StoredTensor> GgufExperts();

}  // namespace isoveil
