// RoPE and its scaling, from Hugging Face's fields to what llama.cpp reads.
//
//   ISOVEIL_RETURN_IF_ERROR(RopeToGguf(config, {.rotary_dim = 128, .n_positions = 4096}, gguf));
//
// config.json says it in two ways: transformers 5 nests everything in rope_parameters; before, rope_theta and
// rope_scaling stood apart.
#pragma once

#include "isoveil/arch/family.h"

namespace isoveil {

struct RopeSizes {
  uint64_t rotary_dim = 0;  // coordinates of a head that turn
  uint64_t n_positions = 0;
  bool reads_factors = false;  // llama.cpp's graph of this family takes frequency factors
};

// Base, dimensions and scaling (default, linear, llama3, yarn), as keys and frequency factors. kUnsupported names a
// kind or a field that GGUF cannot carry.
Status RopeToGguf(ConfigReader& config, const RopeSizes& sizes, GgufDescription& gguf);

}  // namespace isoveil
