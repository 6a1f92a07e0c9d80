// A stock inference server, as seen from the client's side: token ids in, token ids out.
//
//   ISOVEIL_ASSIGN_OR_RETURN(std::unique_ptr<Upstream> server, OpenUpstream({.url = "http://gpu:8081"}));
//   ISOVEIL_ASSIGN_OR_RETURN(UpstreamInfo info, server->Probe());
//   GenerateRequest request{.prompt = encrypted_ids, .sampling = {.max_tokens = 64, .temperature = 0}};
//   ISOVEIL_ASSIGN_OR_RETURN(GenerateResult result, server->Generate(request, [&](const GeneratedToken& t) {
//     Show(t.id);
//     return true;  // false ends the generation
//   }));
//
// Every id in this layer is an encrypted one: the caller permutes before and after. Ids, sampling
// numbers and one optional random cache salt are all that a request can hold, so nothing else can
// cross to the server: no text, no stop strings, no user, no metadata. The text that an engine
// returns beside the ids is gibberish; it is dropped unread and never logged.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"

namespace isoveil {

enum class UpstreamKind { kLlamaServer, kVllm, kSglang };

// "llama-server", "vllm", "sglang".
std::string_view UpstreamKindName(UpstreamKind kind);

// How the server draws tokens. All of it is sent with every request, so that an answer does not
// depend on the defaults of a server or of a model's generation_config.json; the defaults here switch
// every filter off, which is OpenAI's meaning of an absent field.
struct SamplingParams {
  int32_t max_tokens = 16;       // at least 1
  double temperature = 1.0;      // 0 is greedy
  double top_p = 1.0;            // (0, 1]; 1 is off
  int32_t top_k = 0;             // 0 is off
  double min_p = 0.0;            // [0, 1); 0 is off
  std::optional<uint32_t> seed;  // absent: the server draws one
  double presence_penalty = 0.0;
  double frequency_penalty = 0.0;
  double repeat_penalty = 1.0;  // 1 is off
  // Go on past the checkpoint's own end ids. llama-server never draws them then; the others may.
  bool ignore_eos = false;
  int32_t n_probs = 0;  // alternatives reported with every token; 0 for none
};

struct GenerateRequest {
  std::vector<WireId> prompt;  // at least one
  SamplingParams sampling;
  // Added to the logits of these ids. Minus infinity bans an id.
  std::vector<std::pair<WireId, float>> logit_bias = {};
  // Ids that end the generation, besides those that the checkpoint itself declares.
  std::vector<WireId> stop_ids = {};
  // Lets a llama-server reuse the computation of a prefix that it has seen; the others decide themselves.
  // The prefix's equality with an earlier one is visible to the server either way.
  bool cache_prompt = true;
};

struct TokenLogprob {
  WireId id{};
  float logprob = 0;
};

struct GeneratedToken {
  WireId id{};
  std::optional<float> logprob;   // only when n_probs > 0
  std::vector<TokenLogprob> top;  // at most n_probs, most probable first
};

enum class FinishReason {
  kStop,       // a stop id, or an end id of the checkpoint
  kLength,     // max_tokens, or the server's context is full
  kCancelled,  // the callback or the stop token said so
};

// "stop", "length", "cancelled".
std::string_view FinishReasonName(FinishReason reason);

struct Usage {
  uint64_t prompt_tokens = 0;
  uint64_t completion_tokens = 0;         // ids received, the one that ended it included
  std::optional<uint64_t> cached_tokens;  // of the prompt, when the server tells
};

struct Timings {
  double first_token_ms = 0;         // from sending the request, as seen here; 0 if none came
  double total_ms = 0;               // as seen here
  std::optional<double> prompt_ms;   // as told by the server
  std::optional<double> predict_ms;  // as told by the server
};

struct GenerateResult {
  FinishReason finish = FinishReason::kStop;
  // The id that ended the generation, when finish is kStop and the server sent it. It was delivered to
  // the callback like every other id.
  std::optional<WireId> stop_id;
  Usage usage;
  Timings timings;
};

// What a server is and can do, as found by asking it.
struct UpstreamInfo {
  UpstreamKind kind = UpstreamKind::kLlamaServer;
  std::string version;             // as the server names itself; foreign text, may be empty
  std::optional<int64_t> n_vocab;  // rows of the vocabulary
  std::optional<int64_t> n_context;
  std::optional<int64_t> n_embd;
  std::optional<int64_t> n_slots;  // requests computed at a time
  bool can_generate = false;
  bool can_embed = false;
  bool can_score = false;  // tells the probabilities of a prompt's tokens
  // Optional fields that the server did not give in answer to a full request: "logprob",
  // "top_logprobs", "usage", "timings". A server that returns no ids is refused, not listed.
  std::vector<std::string> missing;
};

// What tells one server from the next under the same address: the connection that is kept to it, and what it says of
// its model. Two that are equal are the same process, as far as can be seen from here; behind a proxy, the same model's
// name and sizes.
struct Contact {
  uint64_t connection = 0;
  std::string facts;
  bool operator==(const Contact&) const = default;
};

// Called with every generated id, in order, from the thread that called Generate. False ends the
// generation. Must not throw.
using TokenCallback = std::function<bool(const GeneratedToken&)>;

// Safe to call from many threads at a time; each call has a connection of its own. A call blocks
// until it is done; requesting a stop from another thread closes its connection at once, which makes
// every stock server drop the work.
//
// Errors: kInvalidArgument (a number out of range, or refused by the server), kUnavailable (cannot be
// reached, still loading, overloaded, or the stream broke: the text says what was missing), kAuth,
// kUnsupported (the server lacks what is needed), kFormat (an answer that makes no sense: garbage, no
// ids, an id outside the vocabulary), kMismatch (fewer ids than the server counted). An error may
// come after ids have been delivered.
class Upstream {
 public:
  virtual ~Upstream() = default;

  // Asks for the model's facts and generates one token. Fails unless ids come back.
  virtual Result<UpstreamInfo> Probe(std::stop_token cancel = {}) = 0;

  // A sign of life, within seconds, over a connection that is kept. Errors as above. One thread at a time.
  virtual Result<Contact> Look(std::stop_token cancel = {}) = 0;
  // Whether this is still the contact: false once the server's side has closed the kept connection. Sends nothing.
  virtual bool Stands(const Contact& contact) const = 0;

  // Streams; a cancelled generation is a result, with kCancelled, and not an error.
  virtual Result<GenerateResult> Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                          std::stop_token cancel = {}) = 0;

  // How likely each of `ids` is after those before it: one entry for each, the first without a probability, with
  // `n_top` alternatives (one more where the token itself is none of them). kUnsupported where the kind of server
  // cannot tell, kMismatch if it read other ids than were sent, kCancelled when stopped.
  virtual Result<std::vector<GeneratedToken>> Score(std::span<const WireId> ids, int32_t n_top,
                                                    std::stop_token cancel = {}) = 0;

  // The pooled vector of `ids`, in the encrypted basis: as the model gives it from a llama-server, else
  // as the server's pooler is set up, which may normalise. kCancelled when stopped.
  virtual Result<std::vector<float>> Embed(std::span<const WireId> ids, std::stop_token cancel = {}) = 0;
};

// kInvalidArgument unless every number has a meaning and every id lies in [0, n_vocab); n_vocab 0
// leaves the upper bound open.
Status CheckRequest(const GenerateRequest& request, int64_t n_vocab);

}  // namespace isoveil
