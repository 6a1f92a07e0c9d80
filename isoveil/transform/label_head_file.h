// The weights of a head that the client applies, as they are, in a file of their own.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const std::string bytes, LabelHeadFile(model));     // client/head.safetensors
#pragma once

#include <string>

#include "isoveil/arch/bind.h"
#include "isoveil/package/label_head.h"

namespace isoveil {

// Of a model with a client_head: safetensors whose tensors have the names of their roles. kUnsupported if they are no
// plain floats.
Result<std::string> LabelHeadFile(const BoundModel& model);

}  // namespace isoveil
