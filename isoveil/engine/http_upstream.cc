#include "isoveil/engine/http_upstream.h"

#include <algorithm>
#include <chrono>

#include "isoveil/base/strict_json.h"
#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/sse.h"

namespace isoveil {
namespace {

using Clock = std::chrono::steady_clock;
using json = nlohmann::ordered_json;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Result<json> ParseJson(std::string_view text, const std::string& what) {
  Result<json> parsed = ParseStrictJson(text, what);
  if (parsed) return parsed;
  return Fail(ErrorCode::kFormat, parsed.error().where,
              fmt::format("the server's answer is refused: {}", parsed.error().problem),
              "is the URL that of an inference server?");
}

// One streamed answer: events in, tokens to the callback, a result at the end.
class Reception {
 public:
  Reception(const GenerateRequest& request, StreamDecoder& decoder, const TokenCallback& on_token, int64_t n_vocab)
      : request_(request), decoder_(decoder), on_token_(on_token), n_vocab_(n_vocab) {}

  // kCancelled ends the transfer when the caller or a stop id wants no more.
  Status OnEvent(const SseEvent& event) {
    if (event.data == "[DONE]") return Ok();
    ISOVEIL_ASSIGN_OR_RETURN(const json parsed, ParseJson(event.data, "event stream"));
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

class HttpUpstream : public Upstream {
 public:
  HttpUpstream(HttpClient client, HttpWatch watch, std::unique_ptr<Dialect> dialect, int64_t n_vocab)
      : client_(std::move(client)), watch_(std::move(watch)), dialect_(std::move(dialect)), n_vocab_(n_vocab) {}

  Result<UpstreamInfo> Probe(std::stop_token cancel) override {
    ISOVEIL_ASSIGN_OR_RETURN(UpstreamInfo info, ReadFacts(cancel));
    if (n_vocab_ > 0 && info.n_vocab && *info.n_vocab != n_vocab_) {
      return Fail(ErrorCode::kMismatch, client_.url().ToString(),
                  fmt::format("expected a vocabulary of {} ids, found {}", n_vocab_, *info.n_vocab),
                  "the server runs another model than the key is for");
    }
    const WireId some_id[] = {WireId{0}};
    info.can_embed = Embed(some_id, cancel).has_value();
    info.can_score = dialect_->Score(some_id, 1).has_value();
    const Status generates = TryGenerating(cancel, &info);
    if (!generates && !info.can_embed) return tl::unexpected(generates.error());
    return info;
  }

  Result<Contact> Look(std::stop_token cancel) override {
    const std::string path = dialect_->InfoPaths().front();
    ISOVEIL_ASSIGN_OR_RETURN(const std::string body, watch_.Get(path, std::move(cancel)));
    ISOVEIL_ASSIGN_OR_RETURN(const json answer, ParseJson(body, path));
    return Contact{watch_.contact(), FactsOf(path, answer)};
  }

  bool Stands(const Contact& contact) const override {
    return watch_.contact() == contact.connection && watch_.stands();
  }

  Result<GenerateResult> Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                  std::stop_token cancel) override {
    ISOVEIL_RETURN_IF_ERROR(CheckRequest(request, n_vocab_));
    const std::unique_ptr<StreamDecoder> decoder = dialect_->NewDecoder();
    Reception reception(request, *decoder, on_token, n_vocab_);
    SseParser parser;
    const auto on_event = [&](const SseEvent& event) { return reception.OnEvent(event); };
    const HttpCall call = dialect_->Generate(request);
    if (cancel.stop_requested()) return Cancelled(reception);
    const Status status = client_.PostStream(
        call.path, call.body, [&](std::string_view chunk) { return parser.Feed(chunk, on_event); }, cancel);
    if (!status && reception.ended_here()) return reception.Finish();
    if (!status && status.error().code == ErrorCode::kCancelled) return Cancelled(reception);
    ISOVEIL_RETURN_IF_ERROR(status);
    ISOVEIL_RETURN_IF_ERROR(parser.Finish());
    if (!reception.finished()) {
      return Fail(ErrorCode::kUnavailable, client_.url().ToString(),
                  "the stream ends early: the event that tells how the generation ended is missing",
                  "the server, or a proxy before it, closed the connection; look at its log");
    }
    return reception.Finish();
  }

  Result<std::vector<GeneratedToken>> Score(std::span<const WireId> ids, int32_t n_top,
                                            std::stop_token cancel) override {
    ISOVEIL_RETURN_IF_ERROR(
        CheckRequest({.prompt = {ids.begin(), ids.end()}, .sampling = {.n_probs = n_top}}, n_vocab_));
    const std::optional<HttpCall> call = dialect_->Score(ids, n_top);
    if (!call) return Fail(ErrorCode::kUnsupported, "prompt", "this kind of server does not tell its probabilities");
    ISOVEIL_ASSIGN_OR_RETURN(const std::string body, client_.Post(call->path, call->body, cancel));
    ISOVEIL_ASSIGN_OR_RETURN(const json answer, ParseJson(body, call->path));
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<GeneratedToken> tokens, dialect_->DecodeScores(answer));
    const auto is_sent = [](const GeneratedToken& token, WireId id) { return token.id == id; };
    if (!std::equal(tokens.begin(), tokens.end(), ids.begin(), ids.end(), is_sent)) {
      return Fail(ErrorCode::kMismatch, "prompt", "the server tells the probabilities of other ids than were sent");
    }
    return tokens;
  }

  Result<std::vector<float>> Embed(std::span<const WireId> ids, std::stop_token cancel) override {
    ISOVEIL_RETURN_IF_ERROR(CheckRequest({.prompt = {ids.begin(), ids.end()}, .sampling = {}}, n_vocab_));
    const HttpCall call = dialect_->Embed(ids);
    ISOVEIL_ASSIGN_OR_RETURN(const std::string body, client_.Post(call.path, call.body, cancel));
    ISOVEIL_ASSIGN_OR_RETURN(const json answer, ParseJson(body, call.path));
    return dialect_->DecodeEmbedding(answer);
  }

 private:
  static Result<GenerateResult> Cancelled(Reception& reception) {
    ISOVEIL_ASSIGN_OR_RETURN(GenerateResult result, reception.Finish());
    result.finish = FinishReason::kCancelled;
    return result;
  }

  // Names and sizes; the times that servers tell are those of the question.
  std::string FactsOf(const std::string& path, const json& answer) const {
    UpstreamInfo info;
    dialect_->ReadInfo(path, answer, &info);
    std::string facts =
        fmt::format("{} {} {}", info.n_vocab.value_or(0), info.n_context.value_or(0), info.n_embd.value_or(0));
    const json* models = FieldOrNull(answer, "data");
    if (models == nullptr || !models->is_array()) return facts;
    for (const json& model : *models) {
      for (const char* name : {"id", "root", "owned_by"}) facts += "\n" + TextOrEmpty(model, name);
    }
    return facts;
  }

  Result<UpstreamInfo> ReadFacts(const std::stop_token& cancel) {
    UpstreamInfo info;
    info.kind = dialect_->kind();
    const std::vector<std::string> paths = dialect_->InfoPaths();
    for (const std::string& path : paths) {
      const Result<std::string> body = client_.Get(path, cancel);
      if (!body && path == paths.front()) return tl::unexpected(body.error());
      if (!body) continue;
      ISOVEIL_ASSIGN_OR_RETURN(const json answer, ParseJson(*body, path));
      dialect_->ReadInfo(path, answer, &info);
    }
    return info;
  }

  // Generates one token, with everything asked for that can be.
  Status TryGenerating(const std::stop_token& cancel, UpstreamInfo* info) {
    const GenerateRequest request{.prompt = {WireId{0}}, .sampling = {.max_tokens = 1, .temperature = 0, .n_probs = 1}};
    std::optional<GeneratedToken> token;
    const auto on_token = [&](const GeneratedToken& t) {
      token = t;
      return true;
    };
    ISOVEIL_ASSIGN_OR_RETURN(const GenerateResult result, Generate(request, on_token, cancel));
    if (result.finish == FinishReason::kCancelled) {
      return Fail(ErrorCode::kCancelled, client_.url().ToString(), "the request was cancelled");
    }
    if (!token) {
      return Fail(ErrorCode::kUnsupported, client_.url().ToString(), "the server returns no token ids",
                  "use a newer version of the server");
    }
    info->can_generate = true;
    if (!token->logprob) info->missing.emplace_back("logprob");
    if (token->top.empty()) info->missing.emplace_back("top_logprobs");
    if (!result.timings.predict_ms) info->missing.emplace_back("timings");
    return Ok();
  }

  HttpClient client_;
  HttpWatch watch_;
  std::unique_ptr<Dialect> dialect_;
  int64_t n_vocab_;
};

}  // namespace

std::unique_ptr<Upstream> NewHttpUpstream(HttpClient client, HttpWatch watch, std::unique_ptr<Dialect> dialect,
                                          int64_t n_vocab) {
  return std::make_unique<HttpUpstream>(std::move(client), std::move(watch), std::move(dialect), n_vocab);
}

}  // namespace isoveil
