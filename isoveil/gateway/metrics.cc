#include "isoveil/gateway/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace isoveil {

void Metrics::End(int status, double seconds) {
  --running_;
  ++by_class_[static_cast<size_t>(std::clamp(status / 100, 0, 5))];
  const auto bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), seconds) - kBuckets.begin();
  ++by_seconds_[static_cast<size_t>(bucket)];
  total_ms_ += static_cast<uint64_t>(seconds * 1000);
}

std::string Metrics::Text(size_t n_upstreams_ready) const {
  std::string text = fmt::format(
      "# TYPE isoveil_requests_running gauge\nisoveil_requests_running {}\n"
      "# TYPE isoveil_upstreams_ready gauge\nisoveil_upstreams_ready {}\n"
      "# TYPE isoveil_requests_total counter\n",
      running_.load(), n_upstreams_ready);
  for (size_t i = 1; i < by_class_.size(); ++i) {
    text += fmt::format("isoveil_requests_total{{status=\"{}xx\"}} {}\n", i, by_class_[i].load());
  }
  text += "# TYPE isoveil_request_seconds histogram\n";
  uint64_t count = 0;
  for (size_t i = 0; i < kBuckets.size(); ++i) {
    count += by_seconds_[i];
    text += fmt::format("isoveil_request_seconds_bucket{{le=\"{}\"}} {}\n", kBuckets[i], count);
  }
  count += by_seconds_.back();
  text += fmt::format("isoveil_request_seconds_bucket{{le=\"+Inf\"}} {}\n", count);
  text += fmt::format("isoveil_request_seconds_sum {}\nisoveil_request_seconds_count {}\n",
                      static_cast<double>(total_ms_.load()) / 1000, count);
  return text;
}

}  // namespace isoveil
