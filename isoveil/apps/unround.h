// Gives weights back what rounding to their storage type may have taken from them.
//
//   ISOVEIL_RETURN_IF_ERROR(Unround("widened.gguf"));
//
// Each weight is moved by up to half a step of the narrower type that all values of its tensor fit (BF16 or F16), evenly
// distributed and always in the same way: the type rounds the moved weight to the one that was there. What that changes in
// the logits is what storing weights in the type costs, the scale by which to judge a profile that rounds them once more.
#pragma once

#include "isoveil/base/file.h"

namespace isoveil {

// In place, on a GGUF file with fp32 tensors; tensors whose values need more than the narrower types, and those of another
// type, stay. Nobody else may have the file open.
Status Unround(const Path& gguf);

}  // namespace isoveil
