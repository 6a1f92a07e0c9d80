// How vLLM writes requests and answers: `/v1/completions` with `return_token_ids` (vLLM 0.10.2 or newer) and
// `prompt_logprobs`, `/v1/embeddings`.
//
// Run on vLLM 0.32.0 by tests/test_vllm.py. Examples: tests/vectors/engine/vllm-*.json.
//
// The served folder needs its placeholder tokenizer and the end ids of its generation_config.json, as
// `isoveil encrypt` writes them. Biases are held in [-100, 100], vLLM's own range: -100 stands for a ban.
// It has no switch for `cache_prompt`; a cache salt keeps users apart instead. Timings are not told.
#pragma once

#include <memory>
#include <string>

#include "isoveil/engine/dialect.h"

namespace isoveil {

std::unique_ptr<Dialect> VllmDialect(std::string cache_salt = "");

}  // namespace isoveil
