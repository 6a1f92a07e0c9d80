#include "isoveil/base/parallel.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

namespace isoveil {

unsigned ThreadCount(unsigned requested) {
  if (requested > 0) return requested;
  return std::max(1U, std::thread::hardware_concurrency());
}

namespace {

// An exception that left a thread would end the process.
Status RunJob(const std::function<Status(size_t job, unsigned worker)>& job, size_t index, unsigned worker) {
  try {
    return job(index, worker);
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kNoMemory, "", "there is not enough memory", "lower --memory or --threads");
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kIo, "", fmt::format("unexpected: {}", error.what()));
  }
}

}  // namespace

Status RunParallel(size_t n_jobs, unsigned n_threads, const std::function<Status(size_t job, unsigned worker)>& job,
                   const std::atomic<bool>* cancel) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;
  size_t failed_job = n_jobs;
  std::optional<Error> failure;

  const auto work = [&](unsigned worker) {
    while (!stop && !(cancel != nullptr && *cancel)) {
      const size_t index = next++;
      if (index >= n_jobs) return;
      Status status = RunJob(job, index, worker);
      if (status) continue;
      const std::lock_guard lock(mutex);
      stop = true;
      if (index < failed_job) {
        failed_job = index;
        failure = std::move(status).error();
      }
    }
  };

  const unsigned threads = static_cast<unsigned>(std::min<size_t>(ThreadCount(n_threads), std::max<size_t>(n_jobs, 1)));
  {
    std::vector<std::jthread> helpers;
    try {
      for (unsigned worker = 1; worker < threads; ++worker) helpers.emplace_back(work, worker);
    } catch (const std::exception&) {
      // The system gives no more threads: those that run do all of it.
    }
    work(0);
  }
  if (failure) return tl::unexpected(*std::move(failure));
  if (cancel != nullptr && *cancel) return Fail(ErrorCode::kCancelled, "", "stopped on request");
  return Ok();
}

}  // namespace isoveil
