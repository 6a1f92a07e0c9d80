// A stock inference server, as seen from the client's side: tasks of token ids and numbers.
//
//   ISOVEIL_ASSIGN_OR_RETURN(std::unique_ptr<Upstream> server, OpenUpstream({.url = "http://gpu:8081"}));
//   ISOVEIL_ASSIGN_OR_RETURN(UpstreamInfo info, server->Probe());
//   ISOVEIL_ASSIGN_OR_RETURN(GenerateResult result, Generate(*server, request, on_token));     // generate.h
//
// Every id in this layer is an encrypted one: the caller permutes before and after. Ids, sampling
// numbers and one optional random cache salt are all that a request can hold, so nothing else can
// cross to the server: no text, no stop strings, no user, no metadata. The text that an engine
// returns beside the ids is gibberish; it is dropped unread and never logged.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "isoveil/base/token_id.h"
#include "isoveil/engine/task.h"

namespace isoveil {

// What a server is and can do, as found by asking it.
struct UpstreamInfo {
  std::string_view kind;           // "llama-server"; of the table in server_kind.h
  std::string version;             // as the server names itself; foreign text, may be empty
  std::optional<int64_t> n_vocab;  // rows of the vocabulary
  std::optional<int64_t> n_context;
  std::optional<int64_t> n_embd;
  std::optional<int64_t> n_slots;  // requests computed at a time
  std::vector<TaskKind> tasks;
  // Optional fields that the server did not give in answer to a full request: "logprob",
  // "top_logprobs", "timings". A server that returns no ids is refused, not listed.
  std::vector<std::string> missing;

  bool Has(TaskKind task) const { return std::find(tasks.begin(), tasks.end(), task) != tasks.end(); }
};

// What tells one server from the next under the same address: the connection that is kept to it, and what it says of
// its model. Two that are equal are the same process, as far as can be seen from here; behind a proxy, the same model's
// name and sizes.
struct Contact {
  uint64_t connection = 0;
  std::string facts;
  bool operator==(const Contact&) const = default;
};

// Safe to call from many threads at a time; each call has a connection of its own. A call blocks
// until it is done; requesting a stop from another thread closes its connection at once, which makes
// every stock server drop the work.
//
// Errors: kInvalidArgument (a number out of range, or refused by the server), kUnavailable (cannot be
// reached, still loading, overloaded, or the stream broke: the text says what was missing), kAuth,
// kUnsupported (the server lacks what is needed), kFormat (an answer that makes no sense: garbage, no
// ids, an id outside the vocabulary), kMismatch (fewer ids than the server counted, or other ones than
// were sent), kCancelled. An error may come after a part of the answer has been delivered.
class Upstream {
 public:
  virtual ~Upstream() = default;

  // Asks for the model's facts, and for the least of each task. Fails unless there is one that it has.
  virtual Result<UpstreamInfo> Probe(std::stop_token cancel = {}) = 0;

  // A sign of life, within seconds, over a connection that is kept. Errors as above. One thread at a time.
  virtual Result<Contact> Look(std::stop_token cancel = {}) = 0;
  // Whether this is still the contact: false once the server's side has closed the kept connection. Sends nothing.
  virtual bool Stands(const Contact& contact) const = 0;

  // The answer is in the task. kUnsupported where this kind of server does not have it.
  virtual Status Run(Task& task, std::stop_token cancel = {}, const TaskWatch& watch = {}) = 0;
};

// kInvalidArgument unless there is one id, and each lies in [0, n_vocab); n_vocab 0 leaves the upper bound open.
Status CheckPrompt(std::span<const WireId> ids, int64_t n_vocab);
// The same of one id, named by its field.
Status CheckSentId(WireId id, int64_t n_vocab, std::string_view field);

}  // namespace isoveil
