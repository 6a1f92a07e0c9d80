// The members that all generating endpoints share: sampling, stop strings, streaming.
//
//   ISOVEIL_ASSIGN_OR_RETURN(GenerationOptions options, ReadOptions(body, ApiKind::kChat, limits));
//
// What cannot be honoured on encrypted ids is refused by name (refused_members.h).
#pragma once

#include "isoveil/engine/generate.h"
#include "isoveil/gateway/fields.h"
#include "isoveil/gateway/refused_members.h"

namespace isoveil {

// What a request may ask for.
struct RequestLimits {
  size_t max_body_bytes = size_t{8} << 20;
  int max_depth = 64;
  size_t max_messages = 4096;
  int64_t max_choices = 16;
  int64_t max_tokens = 1 << 20;
  int64_t max_top_logprobs = 20;
  size_t max_stops = 16;
  size_t max_stop_ids = 64;
};

struct GenerationOptions {
  SamplingParams sampling;
  std::vector<std::pair<PlainId, float>> logit_bias;
  std::vector<PlainId> stop_ids;
  bool has_max_tokens = false;
  std::vector<std::string> stops;
  int n = 1;
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;
  int top_logprobs = 0;  // alternatives to show, of chat and responses; may be 0 while the server is asked for one
};

Result<GenerationOptions> ReadOptions(const Json& body, ApiKind kind, const RequestLimits& limits);

}  // namespace isoveil
