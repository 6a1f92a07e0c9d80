// When two models are the same function: what was measured of both, and how much that may be.
//
//   Verification v{.comparison = ..., .summation = ..., ...};
//   if (!Accepts(v, Allow(v))) Report(v);
//
// What may differ is measured on the plaintext model, never guessed: sums in another order, and weights that were
// rounded to their type once more if the profile does so. Floors stand for models that show no difference of their own.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "isoveil/reference/compare_models.h"

namespace isoveil {

// The same comparison in the format's own library; see transformers_evaluator.h.
struct SecondReference {
  std::string engine;
  Comparison conversion;             // there against our conversion to GGUF, both plaintext, in fp32
  std::optional<Comparison> server;  // the server's folder there, where it is one that it reads
  Comparison summation;              // plaintext against itself there, one position at a time
};

struct Verification {
  size_t files = 0;       // of the server's folder, as encryption wrote them
  Comparison comparison;  // with the weights of both widened to fp32: the stored bits, without a server's rounding
  Comparison served;      // in the types that are stored, as a server computes
  Continuations greedy;   // the same
  Comparison summation;   // plaintext against itself in fp32, one position at a time
  Comparison served_summation;  // the same in the types that are stored
  Comparison storage;           // plaintext against itself, in the types that are stored and in fp32
  // The same in fp32 with weights that were rounded to their types once more, several times on their own: the largest
  // of each figure. Only of a profile that does so.
  std::optional<Comparison> weights;
  std::optional<SecondReference> second;
};

struct Bound {
  double max = 0;  // of max_abs_logit_diff
  double rms = 0;
};

struct Allowed {
  Bound comparison;
  double preference = 0;  // see Continuations
  Bound second_conversion;
  Bound second_server;
};

// The largest of each difference, and the least agreement, of several samples of one thing. Not of none.
[[nodiscard]] Comparison Largest(std::span<const Comparison> samples);

[[nodiscard]] Allowed Allow(const Verification& v);
[[nodiscard]] bool Accepts(const Verification& v, const Allowed& allowed);

}  // namespace isoveil
