#include "isoveil/reference/compare_models.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace isoveil {
namespace {

// log sum exp, stable.
double LogPartition(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - top);
  return top + std::log(sum);
}

double Divergence(std::span<const float> p, std::span<const float> q) {
  const double log_zp = LogPartition(p);
  const double log_zq = LogPartition(q);
  double kl = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double log_p = p[i] - log_zp;
    kl += std::exp(log_p) * (log_p - (q[i] - log_zq));
  }
  return std::max(kl, 0.0);
}

size_t Top(std::span<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

class Accumulator {
 public:
  void Add(std::span<const float> plain, std::span<const float> other) {
    for (size_t i = 0; i < plain.size(); ++i) {
      const double diff = std::abs(static_cast<double>(plain[i]) - other[i]);
      // A NaN must not pass as "no difference".
      max_diff_ = std::max(max_diff_, std::isnan(diff) ? std::numeric_limits<double>::infinity() : diff);
      squares_ += diff * diff;
      lowest_ = std::min(lowest_, plain[i]);
      highest_ = std::max(highest_, plain[i]);
    }
    values_ += plain.size();
    kl_ += Divergence(plain, other);
    agreed_ += Top(plain) == Top(other) ? 1 : 0;
    ++positions_;
  }

  Comparison Total() const {
    const auto n = static_cast<double>(std::max<uint64_t>(positions_, 1));
    return {.positions = positions_,
            .max_abs_logit_diff = max_diff_,
            .rms_logit_diff = std::sqrt(squares_ / static_cast<double>(std::max<uint64_t>(values_, 1))),
            .logit_range = static_cast<double>(highest_) - lowest_,
            .mean_kl = kl_ / n,
            .top1_agreement = static_cast<double>(agreed_) / n};
  }

 private:
  uint64_t positions_ = 0;
  uint64_t agreed_ = 0;
  uint64_t values_ = 0;
  double max_diff_ = 0;
  double squares_ = 0;
  double kl_ = 0;
  float lowest_ = std::numeric_limits<float>::max();
  float highest_ = std::numeric_limits<float>::lowest();
};

Status ExpectFinite(std::span<const float> logits) {
  if (std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); })) return Ok();
  return Fail(ErrorCode::kMismatch, "plaintext model", "gives logits that are no finite numbers",
              "a weight of it is infinite, no number or out of all proportion: it cannot be compared with anything");
}

}  // namespace

Result<Comparison> CompareLogits(Evaluator& plain, Evaluator& other, TokenTexts texts) {
  if (plain.n_vocab() != other.n_vocab()) {
    return Fail(ErrorCode::kMismatch, "vocabulary",
                fmt::format("one model gives {} logits, the other {}", plain.n_vocab(), other.n_vocab()));
  }
  Accumulator accumulator;
  const auto n_vocab = static_cast<size_t>(plain.n_vocab());
  for (const std::vector<int32_t>& ids : texts) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> expected, plain.Logits(ids));
    ISOVEIL_RETURN_IF_ERROR(ExpectFinite(expected));
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> found, other.Logits(ids));
    for (size_t i = 0; i < ids.size(); ++i) {
      accumulator.Add(std::span(expected).subspan(i * n_vocab, n_vocab),
                      std::span(found).subspan(i * n_vocab, n_vocab));
    }
  }
  return accumulator.Total();
}

Result<Continuations> CompareGreedy(Evaluator& plain, Evaluator& other, TokenTexts prompts, int32_t n) {
  Continuations all;
  for (const std::vector<int32_t>& ids : prompts) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int32_t> expected, plain.Greedy(ids, n));
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int32_t> found, other.Greedy(ids, n));
    all.tokens += expected.size();
    const auto [own, others] = std::mismatch(expected.begin(), expected.end(), found.begin());
    if (own == expected.end()) continue;
    all.identical = false;
    std::vector<int32_t> until = ids;
    until.insert(until.end(), expected.begin(), own);
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> logits, plain.Logits(until));
    const auto last = std::span(logits).last(static_cast<size_t>(plain.n_vocab()));
    const double preference = static_cast<double>(last[static_cast<size_t>(*own)]) - last[static_cast<size_t>(*others)];
    all.preference = std::max(all.preference, preference);
  }
  return all;
}

}  // namespace isoveil
