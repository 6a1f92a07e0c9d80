// Tells whether a server runs the checkpoint that belongs to this client folder.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const Admission admission, AdmitServer("out/client", client, server, cancel));
//   if (admission.record == CanaryRecord::kNew) ...      // the first contact is taken on trust
//
// A fixed sequence of encrypted ids, the same for every key and so telling nothing of one, is continued greedily. The
// first answer is kept in the client's folder, as it came, and every later one must agree with it: a checkpoint of
// another key, or of another model with as many tokens, answers differently. `isoveil up` records it from the server
// that it starts itself; with a server of someone else the first contact is taken on trust, as ssh takes a host key.
//
// Records of version 1 hold plain ids, and their question was made of plain ids: who saw it on the wire learnt what
// they are encrypted to. They are asked once more, and replaced.
#pragma once

#include <stop_token>

#include "isoveil/engine/generate.h"
#include "isoveil/package/client_folder.h"

namespace isoveil {

inline constexpr char kCanaryFile[] = "canary.json";

// One token of the answer, and what else it might have been; nothing where the server gives no probabilities.
struct CanaryStep {
  WireId id{};
  std::vector<TokenLogprob> top;
};

struct Canary {
  int version = 2;
  std::vector<CanaryStep> steps;
};

enum class CanaryRecord { kMatches, kNew, kNotWritten };

struct Admission {
  UpstreamInfo info;
  CanaryRecord record = CanaryRecord::kMatches;
};

// kMismatch if the server's vocabulary has another size, or if it answers differently from the record. Different
// hardware rounds differently: as long as both answers are the same, each best token must be among the recorded
// alternatives with about the same probability; they may part where two were about as likely.
Result<Admission> AdmitServer(const Path& client_folder, const ClientFolder& client, Upstream& server,
                              std::stop_token cancel = {});

// The file's text as a record, `name` for errors; the plain ids of version 1 become encrypted ones. kFormat.
Result<Canary> ParseCanary(std::string_view text, const std::string& name, const VocabCipher& cipher);

}  // namespace isoveil
