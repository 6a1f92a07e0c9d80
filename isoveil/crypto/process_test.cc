#include "isoveil/crypto/process.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace isoveil {
namespace {

// In a child process, because it cannot be taken back.
TEST(DisableCoreDumpsDeathTest, TakesAwayDumpsAndPtrace) {
  EXPECT_EXIT(
      {
        DisableCoreDumps();
        rlimit core = {};
        core.rlim_cur = core.rlim_max = 1;
        ::getrlimit(RLIMIT_CORE, &core);
        ::exit(core.rlim_cur == 0 && core.rlim_max == 0 && ::prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace isoveil
