// Compares a plaintext model with its encrypted form, logit by logit, on llama.cpp.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Comparison c, CompareModels(plain, encrypted, identity, prompts, 32));
//
// The encrypted model gets encrypted ids, and its logits are put back in plain order. The identity cipher
// compares two plaintext models: that gives the rounding to judge the difference by.
#pragma once

#include <functional>

#include "isoveil/engine/evaluator.h"
#include "isoveil/tokenizer/vocab_cipher.h"

namespace isoveil {

struct Comparison {
  uint64_t positions = 0;  // logit vectors compared
  double max_abs_logit_diff = 0;
  double rms_logit_diff = 0;
  double logit_range = 0;        // largest minus smallest plaintext logit
  double mean_kl = 0;            // of the next-token distributions, in nats, plaintext first
  double top1_agreement = 0;     // share of positions with the same most probable token
  uint64_t tokens_compared = 0;  // of the greedy continuations
  bool greedy_identical = true;
};

using EvaluatePrompts = std::span<const std::vector<TokenId>>;

// `prompts` are plain ids; each is continued greedily by `n_greedy` ids.
Result<Comparison> CompareModels(Evaluator& plain, Evaluator& other, const VocabCipher& cipher,
                                 EvaluatePrompts prompts, int32_t n_greedy);

}  // namespace isoveil
