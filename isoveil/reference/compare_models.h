// Compares two models logit by logit, such as a plaintext model and its encrypted form.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Comparison c, CompareLogits(plain, other, texts));
//   ISOVEIL_ASSIGN_OR_RETURN(Continuations g, CompareGreedy(plain, other, prompts, 32));
//
// Both speak of the same ids: an encrypted model stands behind an evaluator that translates. A model compared with
// itself, evaluated in another way, gives the rounding to judge a difference by.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isoveil/reference/evaluator.h"

namespace isoveil {

struct Comparison {
  uint64_t positions = 0;         // logit vectors compared
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

using TokenTexts = std::span<const std::vector<int32_t>>;

// At every position of every text. kMismatch if the plaintext model gives a logit that is no finite number: nothing can
// be judged by it.
Result<Comparison> CompareLogits(Evaluator& plain, Evaluator& other, TokenTexts texts);

// Each prompt continued by `n` ids.
Result<Continuations> CompareGreedy(Evaluator& plain, Evaluator& other, TokenTexts prompts, int32_t n);

}  // namespace isoveil
