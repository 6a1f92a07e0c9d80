#include "isoveil/hub/retry.h"

#include <algorithm>
#include <random>
#include <thread>

namespace isoveil {
namespace {

using std::chrono::milliseconds;

// Up to a quarter more.
milliseconds WithJitter(milliseconds wait) {
  std::random_device random;
  return wait + wait * (random() % 256) / 1024;
}

}  // namespace

Status Backoff::Wait(HubFailure failure, const std::atomic<bool>& stop) {
  if (!failure.transient) return tl::unexpected(std::move(failure.error));
  if (tries_ == policy_.retries) {
    failure.error.problem += fmt::format(", after {} tries", tries_ + 1);
    return tl::unexpected(std::move(failure.error));
  }
  milliseconds wait = std::min(policy_.longest_wait, policy_.first_wait * (1u << std::min(tries_, 16u)));
  wait = WithJitter(wait);
  if (failure.retry_after) {
    if (*failure.retry_after > policy_.longest_retry_after) {
      failure.error.problem += fmt::format(", and asks to wait {} s", failure.retry_after->count());
      return tl::unexpected(std::move(failure.error));
    }
    wait = *failure.retry_after;
  }
  ++tries_;
  if (policy_.on_wait) {
    policy_.on_wait(
        fmt::format("{}; next try in {:.1f} s", failure.error.Message(), static_cast<double>(wait.count()) / 1000));
  }
  const auto end = std::chrono::steady_clock::now() + wait;
  while (std::chrono::steady_clock::now() < end) {
    if (stop) return Fail(ErrorCode::kCancelled, failure.error.where, "was stopped");
    std::this_thread::sleep_for(std::min<milliseconds>(wait, milliseconds(20)));
  }
  return Ok();
}

}  // namespace isoveil
