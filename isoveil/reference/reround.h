// What storing weights in their type costs: the scale by which to judge a profile that rounds them once more.
//
//   ISOVEIL_RETURN_IF_ERROR(Reround("widened", "stored.gguf", {.types = Rerounded::kFloats, .degrees = 45}));
//
// Consecutive weights a, b are reflected into a cos t + b sin t, a sin t - b cos t, rounded to the type in which they
// are stored, and reflected back. That rounds a matrix of the same size and spread as a secret rotation gives, and
// knows nothing of ours. Other angles are other samples of the same rounding.
#pragma once

#include "isoveil/base/file.h"

namespace isoveil {

enum class Rerounded {
  kFloats,          // quantised blocks are moved whole
  kFloatsAndBlocks  // and those types that can be written are quantised again
};

struct Rerounding {
  Rerounded types = Rerounded::kFloats;
  double degrees = 45;  // far from 0 and 90, which turn nothing
};

// In place, on the matrices of the fp32 model `widened`; `stored` is the same model in its own types. Types that cannot
// be written stay. Nobody else may have the file open.
Status Reround(const Path& widened, const Path& stored, const Rerounding& how);

}  // namespace isoveil
