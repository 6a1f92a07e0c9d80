// The encrypted model, as all endpoints use it. Everything in it is safe to use from many threads.
#pragma once

#include "isoveil/engine/upstream.h"
#include "isoveil/gateway/options.h"
#include "isoveil/gateway/response_store.h"
#include "isoveil/tokenizer/chat_template.h"
#include "isoveil/tokenizer/client_folder.h"

namespace isoveil {

struct ModelService {
  const ClientFolder& client;
  Upstream& upstream;
  std::optional<ChatTemplate> chat;  // absent: completions only
  std::string name;                  // what clients call the model
  int64_t created = 0;               // seconds since 1970
  std::optional<int64_t> n_context;  // as the server tells
  RequestLimits limits;
  std::shared_ptr<ResponseStore> responses = std::make_shared<ResponseStore>();
};

// Sets max_tokens to what is left of the context, where the request gives none. kInvalidArgument with
// "context_length_exceeded" in its text if the prompt alone is too long.
Status FitContext(const ModelService& service, size_t n_prompt, GenerationOptions& options);

}  // namespace isoveil
