// One function a format; target.cc lists them all.
#pragma once

#include "isoveil/transform/target.h"

namespace isoveil {

const Target& GgufTarget();
const Target& HfTarget();

}  // namespace isoveil
