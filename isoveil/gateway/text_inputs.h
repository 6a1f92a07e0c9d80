// The texts of a request whose answer is one thing for each: "input" of /v1/embeddings and /classify, documents of
// /v1/rerank.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const auto inputs, ReadInputs(service, Member(body, "input"), {.add_special = true}));
#pragma once

#include "isoveil/gateway/model_service.h"

namespace isoveil {

// OpenAI's limit.
inline constexpr size_t kMaxInputs = 2048;

// A string, token ids, or a list of those. kInvalidArgument for all else and for the empty text, of which nothing but
// control tokens would be left; kTooLong for one beyond the context.
Result<std::vector<std::vector<PlainId>>> ReadInputs(const ModelService& service, const Json& input,
                                                     TokenizeOptions options);

// kTooLong, naming `field`, for more ids than the context has.
Status FitsContext(const ModelService& service, const char* field, const std::vector<PlainId>& ids);

size_t CountIds(const std::vector<std::vector<PlainId>>& inputs);

}  // namespace isoveil
