// The task of generating: a prompt's ids in, the ids that follow out, as they come.
//
//   GenerateRequest request{.prompt = encrypted_ids, .sampling = {.max_tokens = 64, .temperature = 0}};
//   ISOVEIL_ASSIGN_OR_RETURN(GenerateResult result, Generate(server, request, [&](const GeneratedToken& t) {
//     Show(t.id);
//     return true;  // false ends the generation
//   }));
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "isoveil/engine/upstream.h"

namespace isoveil {

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

// What one event of a stream adds.
struct StreamDelta {
  std::vector<GeneratedToken> tokens;
  std::optional<FinishReason> finish;  // set by the event that tells how it ended
  std::optional<WireId> stop_id;       // when the server names the id that ended it
  std::optional<uint64_t> prompt_tokens;
  std::optional<uint64_t> completion_tokens;  // of the whole answer
  std::optional<uint64_t> cached_tokens;
  std::optional<double> prompt_ms;
  std::optional<double> predict_ms;
};

// Reads one stream, event by event; checks that ids are integers, its caller that they lie in the vocabulary.
class StreamDecoder {
 public:
  virtual ~StreamDecoder() = default;
  // kFormat, naming the field, if the event is not what this server writes.
  virtual Result<StreamDelta> Decode(const nlohmann::ordered_json& event) = 0;
};

// How a kind of server is asked for a stream, and writes it.
struct GenerateDialect {
  HttpCall (*write)(const GenerateRequest& request, std::string_view cache_salt);
  std::unique_ptr<StreamDecoder> (*new_decoder)();
};

// Called with every generated id, in order, from the thread that called Generate. False ends the
// generation. Must not throw.
using TokenCallback = std::function<bool(const GeneratedToken&)>;

// A try after one that broke off goes on where that ended: the ids that came become a part of the prompt.
class GenerateTask final : public Task {
 public:
  GenerateTask(GenerateRequest request, TokenCallback on_token);

  TaskKind kind() const override { return TaskKind::kGenerate; }
  size_t n_prompt_tokens() const override { return request_.prompt.size(); }
  Status Try(const ServerLine& line, const TaskWatch& watch, std::stop_token cancel) override;
  bool CanGoOn(const Error& error) const override;

  // The try, by whatever `call` asks.
  using Call = std::function<Result<GenerateResult>(const GenerateRequest&, const TokenCallback&, std::stop_token)>;
  Status TryBy(const Call& call, const TaskWatch& watch, std::stop_token cancel);

  // Of all tries together; what was cancelled has what came before.
  const GenerateResult& result() const { return result_; }

 private:
  bool HasAllThatWasAskedFor() const;

  const GenerateRequest request_;
  const TokenCallback on_token_;
  GenerateRequest rest_;
  uint64_t n_delivered_ = 0;
  std::optional<WireId> end_;
  GenerateResult result_;
};

// Streams; a cancelled generation is a result, with kCancelled, and not an error.
Result<GenerateResult> Generate(Upstream& server, const GenerateRequest& request, const TokenCallback& on_token,
                                std::stop_token cancel = {});

// kInvalidArgument unless every number has a meaning and every id lies in [0, n_vocab); n_vocab 0
// leaves the upper bound open.
Status CheckRequest(const GenerateRequest& request, int64_t n_vocab);

// Of the table of tasks: generates one token, with everything asked for that can be.
Status ProbeGenerate(Upstream& server, const ServerKind& kind, UpstreamInfo* info, const std::stop_token& cancel);

}  // namespace isoveil
