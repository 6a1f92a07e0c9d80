// Tells whether a server runs the checkpoint that belongs to this client folder.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const Admission admission, AdmitServer("out/client", client, server, cancel));
//   if (admission.record == CanaryRecord::kNew) ...      // the first contact is taken on trust
//
// A fixed sequence of encrypted ids, the same for every key and so telling nothing of one, is sent. The first answer is
// kept in the client's folder, as it came, and every later one must agree with it: a checkpoint of another key, or of
// another model with as many tokens, answers differently. What is asked, and when two answers agree, depends on what
// the model gives (generate_canary.h, embed_canary.h, label_canary.h). `isoveil up` records it from the server that it
// starts itself; with a server of someone else the first contact is taken on trust, as ssh takes a host key.
#pragma once

#include <stop_token>

#include "isoveil/engine/upstream.h"
#include "isoveil/package/client_folder.h"

namespace isoveil {

inline constexpr char kCanaryFile[] = "canary.json";

// Of a record and a server's answer.
struct CanaryVerdict {
  bool agrees = false;
  std::string replacement = {};  // a newer record, if the old one is to give way to it
};

enum class CanaryRecord { kMatches, kNew, kNotWritten };

struct Admission {
  UpstreamInfo info;
  CanaryRecord record = CanaryRecord::kMatches;
};

// kMismatch if the server's vocabulary has another size, or if it answers differently from the record.
Result<Admission> AdmitServer(const Path& client_folder, const ClientFolder& client, Upstream& server,
                              std::stop_token cancel = {});

}  // namespace isoveil
