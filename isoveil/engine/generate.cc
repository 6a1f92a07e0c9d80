#include "isoveil/engine/generate.h"

#include <chrono>
#include <cmath>

#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/server_kind.h"
#include "isoveil/net/http_client.h"
#include "isoveil/net/sse.h"

namespace isoveil {
namespace {

using Clock = std::chrono::steady_clock;
using json = nlohmann::ordered_json;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// One streamed answer: events in, tokens to the callback, a result at the end.
class Reception {
 public:
  Reception(const GenerateRequest& request, StreamDecoder& decoder, const TokenCallback& on_token, int64_t n_vocab)
      : request_(request), decoder_(decoder), on_token_(on_token), n_vocab_(n_vocab) {}

  // kCancelled ends the transfer when the caller or a stop id wants no more.
  Status OnEvent(const SseEvent& event) {
    if (event.data == "[DONE]") return Ok();
    ISOVEIL_ASSIGN_OR_RETURN(const json parsed, ParseAnswer(event.data, "event stream"));
    if (event.type == "error" || parsed.contains("error")) return ServerError(parsed, event.data);
    ISOVEIL_ASSIGN_OR_RETURN(const StreamDelta delta, decoder_.Decode(parsed));
    for (const GeneratedToken& token : delta.tokens) ISOVEIL_RETURN_IF_ERROR(OnToken(token));
    if (delta.finish && !stopped()) result_.finish = *delta.finish;
    if (delta.stop_id && !stopped()) result_.stop_id = delta.stop_id;
    finished_ = finished_ || delta.finish.has_value();
    if (delta.prompt_tokens) result_.usage.prompt_tokens = *delta.prompt_tokens;
    if (delta.completion_tokens) counted_ = delta.completion_tokens;
    if (delta.cached_tokens) result_.usage.cached_tokens = delta.cached_tokens;
    if (delta.prompt_ms) result_.timings.prompt_ms = delta.prompt_ms;
    if (delta.predict_ms) result_.timings.predict_ms = delta.predict_ms;
    return Ok();
  }

  bool ended_here() const { return ended_here_; }
  bool finished() const { return finished_; }

  Result<GenerateResult> Finish() {
    result_.timings.total_ms = MillisecondsSince(start_);
    result_.usage.prompt_tokens = std::max<uint64_t>(result_.usage.prompt_tokens, request_.prompt.size());
    if (finished_ && counted_ && *counted_ != result_.usage.completion_tokens) {
      return Fail(
          ErrorCode::kMismatch, "event stream",
          fmt::format("the server counted {} tokens, and {} ids came", *counted_, result_.usage.completion_tokens),
          "serve the checkpoint with the placeholder vocabulary that `isoveil encrypt` wrote");
    }
    return result_;
  }

 private:
  // A stop id came; what the server sends after it is of no interest, save its last event.
  bool stopped() const { return result_.stop_id.has_value(); }

  static Status ServerError(const json& event, std::string_view text) {
    const json* error = FieldOrNull(event, "error");
    const int64_t status = IntOrNull(error == nullptr ? event : *error, "code").value_or(500);
    return Fail(HttpStatusCode(static_cast<int>(std::clamp<int64_t>(status, 400, 599))), "the server's error",
                ErrorBodyText(text), "look at the server's log");
  }

  Status EndHere(FinishReason reason) {
    result_.finish = reason;
    ended_here_ = true;
    return Fail(ErrorCode::kCancelled, "event stream", "ended by the client");
  }

  Status CheckId(WireId id) const {
    if (n_vocab_ == 0 || Value(id) < n_vocab_) return Ok();
    return Fail(ErrorCode::kFormat, "event stream",
                fmt::format("expected ids below {}, the size of the vocabulary, found a larger one", n_vocab_),
                "the server runs another model");
  }

  Status OnToken(const GeneratedToken& token) {
    // The server goes on past a stop id that is none of its own.
    if (stopped()) return EndHere(FinishReason::kStop);
    if (finished_ || result_.usage.completion_tokens >= static_cast<uint64_t>(request_.sampling.max_tokens)) {
      return Fail(ErrorCode::kFormat, "event stream", "an id came after the end of the generation");
    }
    ISOVEIL_RETURN_IF_ERROR(CheckId(token.id));
    for (const TokenLogprob& top : token.top) ISOVEIL_RETURN_IF_ERROR(CheckId(top.id));
    if (result_.usage.completion_tokens++ == 0) result_.timings.first_token_ms = MillisecondsSince(start_);
    if (!on_token_(token)) return EndHere(FinishReason::kCancelled);
    const auto& stops = request_.stop_ids;
    if (std::find(stops.begin(), stops.end(), token.id) == stops.end()) return Ok();
    result_.finish = FinishReason::kStop;
    result_.stop_id = token.id;
    return Ok();
  }

  const GenerateRequest& request_;
  StreamDecoder& decoder_;
  const TokenCallback& on_token_;
  int64_t n_vocab_;
  Clock::time_point start_ = Clock::now();
  GenerateResult result_;
  std::optional<uint64_t> counted_;
  bool finished_ = false;
  bool ended_here_ = false;
};

Result<GenerateResult> Cancelled(Reception& reception) {
  ISOVEIL_ASSIGN_OR_RETURN(GenerateResult result, reception.Finish());
  result.finish = FinishReason::kCancelled;
  return result;
}

Result<GenerateResult> GenerateOver(const ServerLine& line, const GenerateRequest& request,
                                    const TokenCallback& on_token, const std::stop_token& cancel) {
  ISOVEIL_RETURN_IF_ERROR(CheckRequest(request, line.n_vocab));
  if (line.kind.generate == nullptr) {
    return Fail(ErrorCode::kUnsupported, "upstream", "this kind of server generates nothing");
  }
  const std::unique_ptr<StreamDecoder> decoder = line.kind.generate->new_decoder();
  Reception reception(request, *decoder, on_token, line.n_vocab);
  SseParser parser;
  const auto on_event = [&](const SseEvent& event) { return reception.OnEvent(event); };
  const HttpCall call = line.kind.generate->write(request, line.cache_salt);
  if (cancel.stop_requested()) return Cancelled(reception);
  const Status status = line.client.PostStream(
      call.path, call.body, [&](std::string_view chunk) { return parser.Feed(chunk, on_event); }, cancel);
  if (!status && reception.ended_here()) return reception.Finish();
  if (!status && status.error().code == ErrorCode::kCancelled) return Cancelled(reception);
  ISOVEIL_RETURN_IF_ERROR(status);
  ISOVEIL_RETURN_IF_ERROR(parser.Finish());
  if (!reception.finished()) {
    return Fail(ErrorCode::kUnavailable, line.client.url().ToString(),
                "the stream ends early: the event that tells how the generation ended is missing",
                "the server, or a proxy before it, closed the connection; look at its log");
  }
  return reception.Finish();
}

Status Require(bool holds, std::string_view field, std::string_view expected) {
  if (holds) return Ok();
  return Fail(ErrorCode::kInvalidArgument, std::string(field), fmt::format("expected {}", expected));
}

}  // namespace

std::string_view FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kCancelled: return "cancelled";
  }
  return "unknown";
}

Status CheckRequest(const GenerateRequest& request, int64_t n_vocab) {
  const SamplingParams& s = request.sampling;
  ISOVEIL_RETURN_IF_ERROR(CheckPrompt(request.prompt, n_vocab));
  for (const WireId id : request.stop_ids) ISOVEIL_RETURN_IF_ERROR(CheckSentId(id, n_vocab, "stop_ids"));
  for (const auto& [id, bias] : request.logit_bias) {
    ISOVEIL_RETURN_IF_ERROR(CheckSentId(id, n_vocab, "logit_bias"));
    ISOVEIL_RETURN_IF_ERROR(Require(!std::isnan(bias) && bias < INFINITY, "logit_bias", "numbers below infinity"));
  }
  ISOVEIL_RETURN_IF_ERROR(Require(s.max_tokens >= 1, "max_tokens", "at least 1"));
  ISOVEIL_RETURN_IF_ERROR(
      Require(s.temperature >= 0 && std::isfinite(s.temperature), "temperature", "a number of at least 0"));
  ISOVEIL_RETURN_IF_ERROR(Require(s.top_p > 0 && s.top_p <= 1, "top_p", "a number above 0, at most 1"));
  ISOVEIL_RETURN_IF_ERROR(Require(s.top_k >= 0, "top_k", "at least 0"));
  ISOVEIL_RETURN_IF_ERROR(Require(s.min_p >= 0 && s.min_p < 1, "min_p", "a number of at least 0, below 1"));
  ISOVEIL_RETURN_IF_ERROR(Require(std::isfinite(s.presence_penalty), "presence_penalty", "a number"));
  ISOVEIL_RETURN_IF_ERROR(Require(std::isfinite(s.frequency_penalty), "frequency_penalty", "a number"));
  ISOVEIL_RETURN_IF_ERROR(
      Require(s.repeat_penalty > 0 && std::isfinite(s.repeat_penalty), "repeat_penalty", "a number above 0"));
  return Require(s.n_probs >= 0 && s.n_probs <= 100, "n_probs", "0 to 100");
}

GenerateTask::GenerateTask(GenerateRequest request, TokenCallback on_token)
    : request_(std::move(request)), on_token_(std::move(on_token)), rest_(request_) {}

// A server counts what it has generated itself, and would count the delivered tokens as a part of the prompt.
bool GenerateTask::CanGoOn(const Error& error) const {
  const SamplingParams& s = request_.sampling;
  const bool counts_nothing = s.presence_penalty == 0 && s.frequency_penalty == 0 && s.repeat_penalty == 1;
  return n_delivered_ == 0 || (error.code == ErrorCode::kUnavailable && counts_nothing);
}

bool GenerateTask::HasAllThatWasAskedFor() const {
  return end_ || (n_delivered_ > 0 && rest_.sampling.max_tokens == 0);
}

Status GenerateTask::Try(const ServerLine& line, const TaskWatch& watch, std::stop_token cancel) {
  const auto over_line = [&](const GenerateRequest& request, const TokenCallback& on_token, std::stop_token stop) {
    return GenerateOver(line, request, on_token, stop);
  };
  return TryBy(over_line, watch, std::move(cancel));
}

Status GenerateTask::TryBy(const Call& call, const TaskWatch& watch, std::stop_token cancel) {
  Status refused = Ok();
  const auto deliver = [&](const GeneratedToken& token) {
    refused = watch.on_answer(1);
    if (!refused) return false;
    ++n_delivered_;
    rest_.prompt.push_back(token.id);
    --rest_.sampling.max_tokens;
    const auto& ends = request_.stop_ids;
    if (std::find(ends.begin(), ends.end(), token.id) != ends.end()) end_ = token.id;
    return on_token_(token);
  };
  const GenerateRequest now = rest_;
  Result<GenerateResult> result = call(now, deliver, cancel);
  ISOVEIL_RETURN_IF_ERROR(refused);
  if (!result && result.error().code == ErrorCode::kUnavailable && HasAllThatWasAskedFor()) {
    // Only the server's last word is missing.
    result = GenerateResult{.finish = end_ ? FinishReason::kStop : FinishReason::kLength, .stop_id = end_};
  }
  if (!result) return tl::unexpected(std::move(result).error());
  result_ = *std::move(result);
  if (result_.usage.completion_tokens != n_delivered_) result_.usage.prompt_tokens = request_.prompt.size();
  result_.usage.completion_tokens = n_delivered_;
  if (result_.finish != FinishReason::kCancelled || !cancel.stop_requested()) return Ok();
  return Fail(ErrorCode::kCancelled, "generation", "was cancelled");
}

Result<GenerateResult> Generate(Upstream& server, const GenerateRequest& request, const TokenCallback& on_token,
                                std::stop_token cancel) {
  GenerateTask task(request, on_token);
  const Status status = server.Run(task, cancel);
  if (status) return task.result();
  // Not where no server was reached before.
  const bool is_cancelled = status.error().code == ErrorCode::kCancelled && cancel.stop_requested();
  if (is_cancelled && task.result().finish == FinishReason::kCancelled) return task.result();
  return tl::unexpected(status.error());
}

Status ProbeGenerate(Upstream& server, const ServerKind&, UpstreamInfo* info, const std::stop_token& cancel) {
  const GenerateRequest request{.prompt = {WireId{0}}, .sampling = {.max_tokens = 1, .temperature = 0, .n_probs = 1}};
  std::optional<GeneratedToken> token;
  const auto on_token = [&](const GeneratedToken& t) {
    token = t;
    return true;
  };
  ISOVEIL_ASSIGN_OR_RETURN(const GenerateResult result, Generate(server, request, on_token, cancel));
  if (result.finish == FinishReason::kCancelled) {
    return Fail(ErrorCode::kCancelled, "upstream", "the request was cancelled");
  }
  if (!token) {
    return Fail(ErrorCode::kUnsupported, "upstream", "the server returns no token ids",
                "use a newer version of the server");
  }
  if (!token->logprob) info->missing.emplace_back("logprob");
  if (token->top.empty()) info->missing.emplace_back("top_logprobs");
  if (!result.timings.predict_ms) info->missing.emplace_back("timings");
  return Ok();
}

}  // namespace isoveil
