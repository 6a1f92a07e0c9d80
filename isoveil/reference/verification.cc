#include "isoveil/reference/verification.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace isoveil {
namespace {

// Sums in another order differ: by what the plaintext model shows against itself, up to the scatter of two samples, and
// at least by these shares of the logits' range, which are a few units of fp32's last place after some layers.
constexpr Bound kLeast = {.max = 2e-6, .rms = 2e-7};
constexpr double kScatter = 2;

// Torch's sums are less exact than llama.cpp's, and depend less on how many positions there are than on an order.
constexpr Bound kLeastInTorch = {.max = 4e-6, .rms = 4e-7};

// Of two libraries, as shares of the range: Phi, StarCoder2, Granite and StableLM show at most 4e-7 and
// 6e-8.
constexpr Bound kTwoLibraries = {.max = 4e-6, .rms = 6e-7};

// By an order of sums, and by rounding: the two are independent, so their squares add.
Bound AllowBy(const Comparison& summation, const std::optional<Comparison>& rounding, const Bound& least) {
  const Comparison weights = rounding.value_or(Comparison{});
  return {.max = std::max(least.max, kScatter * std::max(summation.max_abs_logit_diff, weights.max_abs_logit_diff)),
          .rms = std::max(least.rms, kScatter * std::hypot(summation.rms_logit_diff, weights.rms_logit_diff))};
}

Bound Times(const Bound& share, double range) { return {.max = share.max * range, .rms = share.rms * range}; }

bool Within(const Comparison& found, const Bound& allowed) {
  return found.max_abs_logit_diff <= allowed.max && found.rms_logit_diff <= allowed.rms;
}

}  // namespace

Comparison Largest(std::span<const Comparison> samples) {
  Comparison largest = samples.front();
  for (const Comparison& sample : samples.subspan(1)) {
    largest.max_abs_logit_diff = std::max(largest.max_abs_logit_diff, sample.max_abs_logit_diff);
    largest.rms_logit_diff = std::max(largest.rms_logit_diff, sample.rms_logit_diff);
    largest.mean_kl = std::max(largest.mean_kl, sample.mean_kl);
    largest.top1_agreement = std::min(largest.top1_agreement, sample.top1_agreement);
  }
  return largest;
}

Allowed Allow(const Verification& v) {
  const double range = v.comparison.logit_range;
  Allowed allowed{.comparison = AllowBy(v.summation, v.weights, Times(kLeast, range))};
  allowed.preference =
      2 * std::max({allowed.comparison.max, v.storage.max_abs_logit_diff, v.served_summation.max_abs_logit_diff});
  if (!v.second) return allowed;
  const std::array orders = {v.summation, v.second->summation};
  allowed.second_conversion = AllowBy(Largest(orders), std::nullopt, Times(kTwoLibraries, range));
  allowed.second_server = AllowBy(v.second->summation, v.weights, Times(kLeastInTorch, range));
  return allowed;
}

bool Accepts(const Verification& v, const Allowed& allowed) {
  if (!Within(v.comparison, allowed.comparison) || v.greedy.preference > allowed.preference) return false;
  if (!v.second) return true;
  return Within(v.second->conversion, allowed.second_conversion) &&
         (!v.second->server || Within(*v.second->server, allowed.second_server));
}

}  // namespace isoveil
