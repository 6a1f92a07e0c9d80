// Runs the n choices of a request side by side, a few at a time.
//
//   std::vector<Result<Answer>> answers = RunChoices<Answer>(n, [&](int index) { return RunChat(..., index, ...); });
#pragma once

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

// Of one request: 64 prompts of 16 choices must not take a thousand threads, nor every slot of the servers.
inline constexpr int kMostChoicesAtATime = 16;

// `run` is called once for each index, from threads of their own unless there is only one. Later indices begin as
// earlier ones end.
template <typename T, typename Run>
std::vector<Result<T>> RunChoices(int n, const Run& run) {
  std::vector<Result<T>> results(static_cast<size_t>(n), Fail(ErrorCode::kCancelled, "choice", "did not run"));
  std::atomic<int> next = 0;
  const auto work = [&] {
    for (int i = next++; i < n; i = next++) results[static_cast<size_t>(i)] = run(i);
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < std::min(n, kMostChoicesAtATime); ++i) threads.emplace_back(work);
    work();
  }
  return results;
}

}  // namespace isoveil
