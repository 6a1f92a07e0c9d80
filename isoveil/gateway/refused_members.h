// Members of requests that change an answer and that encrypted ids, or the servers behind them, cannot honour.
//
//   ISOVEIL_RETURN_IF_ERROR(RefuseWhatCannotBe(body, ApiKind::kChat));    // "xtc_probability: is not supported ..."
//
// The tables hold the members of OpenAI, llama-server, vLLM and SGLang that are read nowhere else, so that none of them
// is ignored in silence. Values that ask for nothing, which clients send when they mean the default, are accepted. What
// has no meaning for an answer (user, metadata, priority, cache_prompt, unknown members) is accepted and goes nowhere.
#pragma once

#include "isoveil/gateway/fields.h"

namespace isoveil {

// kEncoder: those that answer with vectors or labels.
enum class ApiKind { kChat, kCompletion, kResponse, kEncoder };

// kUnsupported names the member and says why.
Status RefuseWhatCannotBe(const Json& body, ApiKind kind);

}  // namespace isoveil
