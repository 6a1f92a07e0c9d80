// How SGLang writes requests and answers: `/generate` with `input_ids` and `output_ids`, `/encode`.
//
// Read in SGLang's documentation and its sampling_params.py and tokenizer_manager.py, not run against a
// server. Examples: tests/vectors/engine/sglang-*.json.
//
// An event repeats all ids so far, unless the server streams increments (`--stream-output`, or
// `--incremental-streaming-output`), which costs less; `completion_tokens` tells the two apart. Timings
// are not told, and there is no switch for `cache_prompt`.
#pragma once

#include "isoveil/engine/dialect.h"

namespace isoveil {

std::unique_ptr<Dialect> SglangDialect();

}  // namespace isoveil
