// The folders that `isoveil encrypt` wrote: OUT, OUT/client, OUT/server. Commands want one of them, and
// people name another.
//
//   ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.client, OutPart::kClient));
#pragma once

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"

namespace isoveil {

enum class OutPart { kWhole, kClient, kServer };

// kNotFound if `folder` is another of the three; the hint names the right one. Says nothing of other folders.
Status ExpectPart(const Path& folder, OutPart wanted);

}  // namespace isoveil
