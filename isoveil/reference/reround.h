// What storing weights in their type costs: the scale by which to judge a profile that rounds them once more.
//
//   ISOVEIL_RETURN_IF_ERROR(Reround("widened", "stored.gguf", Rerounded::kFloats));
//
// Consecutive weights a, b are turned into (a + b) / sqrt 2, (a - b) / sqrt 2, rounded to the type in which they are stored,
// and turned back. That rounds a matrix of the same size and spread as a secret rotation gives, and knows nothing of ours.
#pragma once

#include "isoveil/base/file.h"

namespace isoveil {

enum class Rerounded {
  kFloats,          // quantised blocks are moved whole
  kFloatsAndBlocks  // and those types that can be written are quantised again
};

// In place, on the matrices of the fp32 model `widened`; `stored` is the same model in its own types. Types that cannot
// be written stay. Nobody else may have the file open.
Status Reround(const Path& widened, const Path& stored, Rerounded types);

}  // namespace isoveil
