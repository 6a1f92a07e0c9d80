// Counters for operators, in Prometheus' text form. Numbers only: no prompt, no answer, no client, no model text, no
// address: a server is its number among the --upstream, from 1.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/gateway/request_meter.h"

namespace isoveil {

// Durations, counted by size. Safe to use from many threads.
class Histogram {
 public:
  void Add(double seconds);
  // Its samples under `name`; `labels` is empty or ends with a comma.
  std::string Samples(std::string_view name, std::string_view labels) const;

 private:
  static constexpr std::array<double, 8> kBuckets = {0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120};

  std::array<std::atomic<uint64_t>, kBuckets.size() + 1> counts_ = {};
  std::atomic<uint64_t> total_us_ = 0;
};

class Metrics {
 public:
  explicit Metrics(size_t n_servers) : servers_(n_servers) {}

  void Begin() { ++running_; }
  // `status` is that of HTTP. Tokens count for the server that was asked last.
  void End(int status, double seconds, const RequestCost& cost);
  std::string Text(size_t n_upstreams_ready) const;

 private:
  struct Server {
    std::atomic<uint64_t> prompt_tokens = 0;
    std::atomic<uint64_t> completion_tokens = 0;
    Histogram first_token;
  };

  std::atomic<int64_t> running_ = 0;
  std::array<std::atomic<uint64_t>, 6> by_class_ = {};  // 1xx to 5xx
  Histogram seconds_;
  std::vector<Server> servers_;
};

}  // namespace isoveil
