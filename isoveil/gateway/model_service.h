// The encrypted model, as all endpoints use it. Everything in it is safe to use from many threads.
#pragma once

#include <functional>

#include "isoveil/engine/upstream.h"
#include "isoveil/gateway/options.h"
#include "isoveil/gateway/response_store.h"
#include "isoveil/gateway/system_messages.h"
#include "isoveil/package/client_folder.h"
#include "isoveil/tokenizer/chat_template.h"
#include "isoveil/tokenizer/spelled_tokens.h"

namespace isoveil {

class Metrics;
class UpstreamPool;

struct ModelService {
  const ClientFolder& client;
  Upstream* upstream = nullptr;                  // outlives the service
  std::optional<ChatTemplate> chat;              // absent: completions only
  SystemPlaces system_places;                    // of that template
  std::shared_ptr<const SpelledTokens> spelled;  // absent: contents may spell control tokens
  std::string name;                              // what clients call the model
  int64_t created = 0;                           // seconds since 1970
  // As the servers tell: it may change while the gateway runs.
  std::function<std::optional<int64_t>()> n_context = [] { return std::optional<int64_t>(); };
  RequestLimits limits;
  bool parse_special = false;  // prompts of completions may spell control tokens
  std::shared_ptr<ResponseStore> responses = std::make_shared<ResponseStore>();
  // What looks at the gateway itself: null where there is none, else they outlive the service.
  const UpstreamPool* pool = nullptr;
  const Metrics* metrics = nullptr;
  std::string upstream_url = {};  // the first server's
};

// A list of ids of the model's vocabulary; kInvalidArgument, naming `field`, for all else in it.
Result<std::vector<PlainId>> ReadPlainIds(const ModelService& service, const char* field, const Json& list);

// Sets max_tokens to what is left of the context, where the request gives none. kTooLong, naming `field`, if the prompt
// alone is too long.
Status FitContext(const ModelService& service, const char* field, size_t n_prompt, GenerationOptions& options);

}  // namespace isoveil
