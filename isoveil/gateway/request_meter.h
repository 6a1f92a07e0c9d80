// One request's way to the servers: counts what it costs.
//
//   RequestMeter meter(pool);
//   ... the endpoint runs its tasks through `meter` as it would through the pool ...
//   meter.cost().completion_tokens
//
// Numbers only. Safe to use from many threads.
#pragma once

#include <chrono>

#include "isoveil/gateway/upstream_pool.h"

namespace isoveil {

struct RequestCost {
  uint64_t prompt_tokens = 0;  // of every task, as it was asked for
  uint64_t completion_tokens = 0;
  std::optional<double> first_token_seconds;  // since the meter began
  std::optional<size_t> server;               // that was asked last
  std::optional<ErrorCode> failure;           // of the last task that failed
};

class RequestMeter final : public Upstream {
 public:
  // The pool must outlive the meter.
  explicit RequestMeter(UpstreamPool& pool) : pool_(pool) {}

  RequestCost cost() const;

  Result<UpstreamInfo> Probe(std::stop_token cancel = {}) override { return pool_.Probe(std::move(cancel)); }
  Result<Contact> Look(std::stop_token cancel = {}) override { return pool_.Look(std::move(cancel)); }
  bool Stands(const Contact& contact) const override { return pool_.Stands(contact); }
  Status Run(Task& task, std::stop_token cancel = {}, const TaskWatch& watch = {}) override;

 private:
  UpstreamPool& pool_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::atomic<uint64_t> completion_tokens_ = 0;
  mutable std::mutex mutex_;
  RequestCost cost_;
};

}  // namespace isoveil
