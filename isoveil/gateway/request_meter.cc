#include "isoveil/gateway/request_meter.h"

namespace isoveil {

Status RequestMeter::Run(Task& task, std::stop_token cancel, const TaskWatch& watch) {
  {
    const std::lock_guard lock(mutex_);
    cost_.prompt_tokens += task.n_prompt_tokens();
  }
  TaskWatch counting;
  counting.on_server = [&](size_t server) {
    {
      const std::lock_guard lock(mutex_);
      cost_.server = server;
    }
    watch.on_server(server);
  };
  counting.on_answer = [&](size_t n_tokens) {
    if (n_tokens > 0 && completion_tokens_.fetch_add(n_tokens, std::memory_order_relaxed) == 0) {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun_;
      const std::lock_guard lock(mutex_);
      cost_.first_token_seconds = seconds.count();
    }
    return watch.on_answer(n_tokens);
  };
  Status status = pool_.Run(task, cancel, counting);
  // What the client gave up is no failure of a server's.
  if (!status && !cancel.stop_requested()) {
    const std::lock_guard lock(mutex_);
    cost_.failure = status.error().code;
  }
  return status;
}

RequestCost RequestMeter::cost() const {
  const std::lock_guard lock(mutex_);
  RequestCost cost = cost_;
  cost.completion_tokens = completion_tokens_;
  return cost;
}

}  // namespace isoveil
