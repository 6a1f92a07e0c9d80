// Tokens in the forms that the APIs have for them.
#pragma once

#include "isoveil/base/utf8.h"
#include "isoveil/gateway/fields.h"
#include "isoveil/gateway/generator.h"

namespace isoveil {

// {"token", "logprob", "bytes", "top_logprobs"}: an entry of chat's logprobs.content. `n_top` may be 0 while the
// server was asked for one.
Json LogprobEntry(const Vocabulary& vocabulary, const PlainToken& token, int n_top);

// The text of one token; what is no whole character is U+FFFD.
std::string TokenText(const Vocabulary& vocabulary, PlainId id);

// [[text, encrypted id], ...]: what crossed the wire, for the page of the person who holds the key.
Json WirePairs(const Vocabulary& vocabulary, const VocabCipher& cipher, std::span<const PlainId> plain);
Json WirePairs(const Vocabulary& vocabulary, std::span<const PlainToken> tokens);

// {"prompt_tokens", "completion_tokens", "total_tokens", ...}; `reasoning_tokens` are those of the completion that were
// thoughts.
Json UsageJson(const Usage& usage, uint64_t reasoning_tokens = 0);

}  // namespace isoveil
