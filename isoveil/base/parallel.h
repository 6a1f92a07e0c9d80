// Runs independent jobs on a few threads.
//
//   Status status = RunParallel(n_jobs, n_threads, [&](size_t job, unsigned worker) -> Status {
//     return Encrypt(job, scratch[worker]);
//   });
//
// Jobs start in order. After the first failure no further job starts; the failure of the lowest job
// index is returned, so that the same input reports the same error.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "isoveil/base/result.h"

namespace isoveil {

// 0 threads means one per core. `job` is called from `n_threads` threads, each with its own `worker`
// index below n_threads. `cancel`, when given, stops new jobs and yields kCancelled.
Status RunParallel(size_t n_jobs, unsigned n_threads, const std::function<Status(size_t job, unsigned worker)>& job,
                   const std::atomic<bool>* cancel = nullptr);

// The number of threads that RunParallel uses for `requested`.
unsigned ThreadCount(unsigned requested);

}  // namespace isoveil
