// One function a family; family.cc lists them all.
#pragma once

#include "isoveil/arch/family.h"

namespace isoveil {

Family AlbertFamily();
Family BertFamily();
Family BloomFamily();
Family CohereFamily();
Family Cohere2Family();
Family DistilbertFamily();
Family ElectraFamily();
Family Exaone4Family();
Family FalconFamily();
Family GemmaFamily();
Family Gemma2Family();
Family Gemma3Family();
Family GlmFamily();
Family Gpt2Family();
Family GptJFamily();
Family GptNeoxFamily();
Family GraniteFamily();
Family LlamaFamily();
Family MixtralFamily();
Family ModernbertFamily();
Family MpnetFamily();
Family MptFamily();
Family NemotronFamily();
Family OlmoFamily();
Family Olmo2Family();
Family Olmo3Family();
Family OlmoeFamily();
Family OptFamily();
Family PhiFamily();
Family Phi3Family();
Family Qwen2Family();
Family Qwen2MoeFamily();
Family Qwen3Family();
Family Qwen3MoeFamily();
Family RobertaFamily();
Family SeedOssFamily();
Family Smollm3Family();
Family StablelmFamily();
Family Starcoder2Family();

}  // namespace isoveil
