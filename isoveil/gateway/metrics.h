// Counters for operators, in Prometheus' text form. Numbers only: no prompt, no answer, no client, no model text.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace isoveil {

class Metrics {
 public:
  void Begin() { ++running_; }
  // `status` is that of HTTP.
  void End(int status, double seconds);
  std::string Text(size_t n_upstreams_ready) const;

 private:
  static constexpr std::array<double, 8> kBuckets = {0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120};

  std::atomic<int64_t> running_ = 0;
  std::array<std::atomic<uint64_t>, 6> by_class_ = {};  // 1xx to 5xx
  std::array<std::atomic<uint64_t>, kBuckets.size() + 1> by_seconds_ = {};
  std::atomic<uint64_t> total_ms_ = 0;
};

}  // namespace isoveil
