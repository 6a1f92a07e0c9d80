// One function a family; family.cc lists them all.
#pragma once

#include "isoveil/arch/family.h"

namespace isoveil {

Family BertFamily();
Family LlamaFamily();
Family Gpt2Family();
Family Qwen2Family();

}  // namespace isoveil
