#include "isoveil/net/retry.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <random>

namespace isoveil {
namespace {

using std::chrono::milliseconds;

// Up to a quarter more.
milliseconds WithJitter(milliseconds wait) {
  std::random_device random;
  return wait + wait * (random() % 256) / 1024;
}

}  // namespace

Status Backoff::Wait(RequestFailure failure, const std::stop_token& stop) {
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
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any().wait_for(lock, stop, wait, [] { return false; });
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, failure.error.where, "was stopped");
  return Ok();
}

std::optional<std::chrono::seconds> ParseRetryAfter(std::string_view header) {
  constexpr int64_t kLongest = 1'000'000'000;  // nobody waits for longer
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  const bool is_number = error == std::errc() && end == header.data() + header.size();
  tm date = {};
  const std::string text(header);
  const char* rest = is_number ? nullptr : ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest != nullptr && *rest == '\0') seconds = ::timegm(&date) - ::time(nullptr);
  if ((!is_number && rest == nullptr) || seconds <= 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, kLongest));
}

}  // namespace isoveil
