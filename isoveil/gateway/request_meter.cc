#include "isoveil/gateway/request_meter.h"

namespace isoveil {

Result<GenerateResult> RequestMeter::Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                              std::stop_token cancel) {
  {
    const std::lock_guard lock(mutex_);
    cost_.prompt_tokens += request.prompt.size();
  }
  const auto on_server = [&](size_t server) {
    const std::lock_guard lock(mutex_);
    cost_.server = server;
  };
  const auto on_one = [&](const GeneratedToken& token) {
    if (completion_tokens_.fetch_add(1, std::memory_order_relaxed) == 0) {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun_;
      const std::lock_guard lock(mutex_);
      cost_.first_token_seconds = seconds.count();
    }
    return on_token(token);
  };
  Result<GenerateResult> result = pool_.GenerateOn(request, on_one, on_server, std::move(cancel));
  if (!result) {
    const std::lock_guard lock(mutex_);
    cost_.failure = result.error().code;
  }
  return result;
}

RequestCost RequestMeter::cost() const {
  const std::lock_guard lock(mutex_);
  RequestCost cost = cost_;
  cost.completion_tokens = completion_tokens_;
  return cost;
}

}  // namespace isoveil
