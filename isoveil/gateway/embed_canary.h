// How a model that gives vectors is told from another: its vector for a fixed sequence of encrypted ids, the same for
// every key. It is recorded at length 1, since some servers scale vectors and some do not.
#pragma once

#include "isoveil/gateway/canary.h"

namespace isoveil {

Result<std::string> AskEmbedCanary(const ClientFolder& client, Upstream& server, std::stop_token cancel);
Result<CanaryVerdict> CheckEmbedCanary(std::string_view record, const std::string& name, const ClientFolder& client,
                                       Upstream& server, std::stop_token cancel);

}  // namespace isoveil
