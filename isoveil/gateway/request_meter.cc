#include "isoveil/gateway/request_meter.h"

namespace isoveil {

void RequestMeter::Began(size_t n_prompt) {
  const std::lock_guard lock(mutex_);
  cost_.prompt_tokens += n_prompt;
}

void RequestMeter::Failed(ErrorCode code) {
  const std::lock_guard lock(mutex_);
  cost_.failure = code;
}

std::function<void(size_t)> RequestMeter::OnServer() {
  return [this](size_t server) {
    const std::lock_guard lock(mutex_);
    cost_.server = server;
  };
}

Result<GenerateResult> RequestMeter::Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                              std::stop_token cancel) {
  Began(request.prompt.size());
  const auto on_one = [&](const GeneratedToken& token) {
    if (completion_tokens_.fetch_add(1, std::memory_order_relaxed) == 0) {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun_;
      const std::lock_guard lock(mutex_);
      cost_.first_token_seconds = seconds.count();
    }
    return on_token(token);
  };
  Result<GenerateResult> result = pool_.GenerateOn(request, on_one, OnServer(), std::move(cancel));
  if (!result) Failed(result.error().code);
  return result;
}

Result<std::vector<GeneratedToken>> RequestMeter::Score(std::span<const WireId> ids, int32_t n_top,
                                                        std::stop_token cancel) {
  Began(ids.size());
  auto tokens = pool_.ScoreOn(ids, n_top, OnServer(), std::move(cancel));
  if (!tokens) Failed(tokens.error().code);
  return tokens;
}

RequestCost RequestMeter::cost() const {
  const std::lock_guard lock(mutex_);
  RequestCost cost = cost_;
  cost.completion_tokens = completion_tokens_;
  return cost;
}

}  // namespace isoveil
