// Failures that pass, and how long to wait for that.
//
//   Backoff backoff(policy);
//   for (;;) {
//     auto answer = client.Get(...);
//     if (answer) break;
//     ISOVEIL_RETURN_IF_ERROR(backoff.Wait(std::move(answer).error(), stop));
//   }
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "isoveil/base/result.h"

namespace isoveil {

// Why a request failed, and whether the same one may succeed later.
struct HubFailure {
  Error error;
  bool transient = false;
  std::optional<std::chrono::seconds> retry_after;  // what the server asks for
};

struct RetryPolicy {
  unsigned retries = 6;  // in a row, without a byte in between
  std::chrono::milliseconds first_wait{500};
  std::chrono::milliseconds longest_wait{30'000};
  // What the server may ask for; more is an error.
  std::chrono::seconds longest_retry_after{600};
  // Told before each wait: "HTTP 503; next try in 2 s". Downloads call it from several threads.
  std::function<void(const std::string& text)> on_wait;
};

// Doubles the wait each time, up to a limit, with a random part so that many clients do not come at once.
class Backoff {
 public:
  explicit Backoff(const RetryPolicy& policy) : policy_(policy) {}

  // Sleeps; or gives the failure's error if it lasts or was retried enough, or kCancelled once `stop` is set.
  Status Wait(HubFailure failure, const std::atomic<bool>& stop);
  // Bytes came: the count begins again.
  void Progress() { tries_ = 0; }

 private:
  const RetryPolicy& policy_;
  unsigned tries_ = 0;
};

}  // namespace isoveil
