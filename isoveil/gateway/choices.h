// Runs the n choices of a request side by side.
//
//   std::vector<Result<Answer>> answers = RunChoices<Answer>(n, [&](int index) { return RunChat(..., index, ...); });
#pragma once

#include <thread>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

// `run` is called once for each index, from threads of their own unless there is only one.
template <typename T, typename Run>
std::vector<Result<T>> RunChoices(int n, const Run& run) {
  std::vector<Result<T>> results(static_cast<size_t>(n), Fail(ErrorCode::kCancelled, "choice", "did not run"));
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < n; ++i) threads.emplace_back([&, i] { results[i] = run(i); });
    results[0] = run(0);
  }
  return results;
}

}  // namespace isoveil
