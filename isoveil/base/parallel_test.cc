#include "isoveil/base/parallel.h"

#include <gtest/gtest.h>

#include <vector>

namespace isoveil {
namespace {

TEST(ParallelTest, RunsEveryJobOnce) {
  std::vector<std::atomic<int>> runs(1000);
  ASSERT_TRUE(RunParallel(runs.size(), 4, [&](size_t job, unsigned worker) -> Status {
    EXPECT_LT(worker, 4);
    ++runs[job];
    return Ok();
  }));
  for (const auto& count : runs) EXPECT_EQ(count, 1);
}

TEST(ParallelTest, ReportsTheLowestFailureAndStops) {
  std::atomic<size_t> started = 0;
  const Status status = RunParallel(100000, 4, [&](size_t job, unsigned) -> Status {
    ++started;
    if (job < 10) return Ok();
    return Fail(ErrorCode::kIo, fmt::format("job {}", job), "broken");
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().where, "job 10");
  EXPECT_LT(started, 20);
}

TEST(ParallelTest, CancelStopsNewJobs) {
  std::atomic<bool> cancel = false;
  std::atomic<size_t> started = 0;
  const Status status = RunParallel(
      1000, 2,
      [&](size_t, unsigned) -> Status {
        if (++started == 5) cancel = true;
        return Ok();
      },
      &cancel);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_LT(started, 10);
}

TEST(ParallelTest, NoJobsIsFine) {
  EXPECT_TRUE(RunParallel(0, 0, [](size_t, unsigned) -> Status { return Fail(ErrorCode::kIo, "", ""); }));
}

}  // namespace
}  // namespace isoveil
