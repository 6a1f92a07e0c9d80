// Compares a plaintext model with its encrypted form, logit by logit, on llama.cpp.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Comparison c, CompareLogits(plain, encrypted, cipher, texts));
//   ISOVEIL_ASSIGN_OR_RETURN(Continuations g, CompareGreedy(plain, encrypted, cipher, prompts, 32));
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
  double max_abs_logit_diff = 0;  // infinite if the other model gives a logit that is no finite number
  double rms_logit_diff = 0;
  double logit_range = 0;     // largest minus smallest plaintext logit
  double mean_kl = 0;         // of the next-token distributions, in nats, plaintext first
  double top1_agreement = 0;  // share of positions with the same most probable token
};

struct Continuations {
  uint64_t tokens = 0;
  bool identical = true;
  // Where a continuation parts, by how much the plaintext model prefers its own token; the largest such difference of
  // logits. Two models that differ by d at most part only where it is at most 2 d.
  double preference = 0;
};

// Plain ids.
using TokenTexts = std::span<const std::vector<TokenId>>;

// At every position of every text. kMismatch if the plaintext model gives a logit that is no finite number: nothing can be
// judged by it.
Result<Comparison> CompareLogits(Evaluator& plain, Evaluator& other, const VocabCipher& cipher, TokenTexts texts);

// Each prompt continued by `n` ids.
Result<Continuations> CompareGreedy(Evaluator& plain, Evaluator& other, const VocabCipher& cipher, TokenTexts prompts,
                                    int32_t n);

}  // namespace isoveil
