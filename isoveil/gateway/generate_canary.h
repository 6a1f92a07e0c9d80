// How a model that writes text is told from another: what it says to a fixed sequence of encrypted ids.
//
// The sequence is the same for every key and so tells nothing of one; it is continued greedily. Different hardware
// rounds differently: as long as both answers are the same, each best token must be among the recorded alternatives
// with about the same probability; they may part where two were about as likely.
//
// Records of version 1 hold plain ids, and their question was made of plain ids: who saw it on the wire learnt what
// they are encrypted to. They are asked once more, and replaced.
#pragma once

#include "isoveil/engine/generate.h"
#include "isoveil/gateway/canary.h"

namespace isoveil {

// One token of the answer, and what else it might have been; nothing where the server gives no probabilities.
struct CanaryStep {
  WireId id{};
  std::vector<TokenLogprob> top;
};

struct Canary {
  int version = 2;
  std::vector<CanaryStep> steps;
};

Result<std::string> AskGenerateCanary(const ClientFolder& client, Upstream& server, std::stop_token cancel);
Result<CanaryVerdict> CheckGenerateCanary(std::string_view record, const std::string& name, const ClientFolder& client,
                                          Upstream& server, std::stop_token cancel);

// The file's text as a record, `name` for errors; the plain ids of version 1 become encrypted ones. kFormat.
Result<Canary> ParseCanary(std::string_view text, const std::string& name, const VocabCipher& cipher);

}  // namespace isoveil
