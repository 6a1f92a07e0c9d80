// How a classifier is told from another: the numbers of its labels for fixed sequences of encrypted ids, the same for
// every key. They are few, so several sequences are asked about.
#pragma once

#include "isoveil/gateway/canary.h"

namespace isoveil {

Result<std::string> AskLabelCanary(const ClientFolder& client, Upstream& server, std::stop_token cancel);
Result<CanaryVerdict> CheckLabelCanary(std::string_view record, const std::string& name, const ClientFolder& client,
                                       Upstream& server, std::stop_token cancel);

}  // namespace isoveil
