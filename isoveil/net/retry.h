// Failures that pass, and how long to wait for that.
//
//   Backoff backoff(policy);
//   for (;;) {
//     auto answer = client.Get(...);
//     if (answer) break;
//     ISOVEIL_RETURN_IF_ERROR(backoff.Wait(std::move(answer).error(), stop));     // a RequestFailure
//   }
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// Why a request failed, and whether the same one may succeed later.
struct RequestFailure {
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

  // Sleeps; or gives the failure's error if it lasts or was retried enough, or kCancelled as soon as a
  // stop is requested.
  Status Wait(RequestFailure failure, const std::stop_token& stop);
  // Bytes came: the count begins again.
  void Progress() { tries_ = 0; }

 private:
  const RetryPolicy& policy_;
  unsigned tries_ = 0;
};

// How long a Retry-After header asks to wait: seconds, or a date (RFC 9110, section 10.2.3). Nothing for what is
// neither and for what is past.
std::optional<std::chrono::seconds> ParseRetryAfter(std::string_view header);

}  // namespace isoveil
