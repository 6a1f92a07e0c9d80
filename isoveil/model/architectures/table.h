// One function an architecture; architecture.cc lists them all.
#pragma once

#include "isoveil/model/architecture.h"

namespace isoveil {

const Architecture& LlamaArchitecture();
const Architecture& Gpt2Architecture();

}  // namespace isoveil
