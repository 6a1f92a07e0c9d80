// Tells whether a server runs the checkpoint that belongs to this client folder.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Canary seen, AskCanary(client, server));
//   ISOVEIL_RETURN_IF_ERROR(CheckCanary("out/client", seen));
//
// A fixed sequence of plain ids, made of nothing secret, is encrypted and continued greedily. The first answer is kept
// in the client's folder, and every later one must agree with it: a checkpoint of another key, or of another model
// with as many tokens, answers differently. `isoveil up` records it from the server that it starts itself; with a
// server of someone else the first contact is taken on trust, as ssh takes a host key.
#pragma once

#include <stop_token>

#include "isoveil/engine/upstream.h"
#include "isoveil/tokenizer/client_folder.h"

namespace isoveil {

inline constexpr char kCanaryFile[] = "canary.json";

struct Canary {
  std::vector<TokenId> next;          // plain ids, greedy
  std::vector<TokenLogprob> first;    // alternatives of the first, plain ids; empty where the server gives none
};

enum class CanaryResult { kMatches, kRecorded, kNotRecorded };

// kMismatch if the server's vocabulary has another size.
Result<Canary> AskCanary(const ClientFolder& client, Upstream& server, std::stop_token cancel = {});

// Compares with the recorded answer, or records this one (kNotRecorded if the folder cannot be written to).
// kMismatch if they differ. Different hardware rounds differently: the best first token must be among the recorded
// alternatives, with about the same probability.
Result<CanaryResult> CheckCanary(const Path& client_folder, const Canary& seen);

}  // namespace isoveil
