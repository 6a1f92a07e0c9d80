#include "isoveil/crypto/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace isoveil {

void DisableCoreDumps() {
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace isoveil
