#include "isoveil/engine/http_upstream.h"

#include <algorithm>
#include <chrono>

#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/sse.h"

namespace isoveil {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Result<json> ParseJson(std::string_view text, std::string_view what) {
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) {
    return Fail(ErrorCode::kFormat, std::string(what), "the server's answer is no JSON",
                "is the URL that of an inference server?");
  }
  return parsed;
}

// One streamed answer: events in, tokens to the callback, a result at the end.
class Reception {
 public:
  Reception(const GenerateRequest& request, StreamDecoder& decoder, const TokenCallback& on_token,
            int64_t n_vocab)
      : request_(request), decoder_(decoder), on_token_(on_token), n_vocab_(n_vocab) {}

  // kCancelled ends the transfer when the caller or a stop id wants no more.
  Status OnEvent(const SseEvent& event) {
    if (event.data == "[DONE]") return Ok();
    ISOVEIL_ASSIGN_OR_RETURN(const json parsed, ParseJson(event.data, "stream"));
    if (event.type == "error" || parsed.contains("error")) {
      return Fail(ErrorCode::kUnavailable, "server", ErrorBodyText(event.data));
    }
    ISOVEIL_ASSIGN_OR_RETURN(const StreamDelta delta, decoder_.Decode(parsed));
    for (const GeneratedToken& token : delta.tokens) ISOVEIL_RETURN_IF_ERROR(OnToken(token));
    if (delta.finish) {
      result_.finish = *delta.finish;
      finished_ = true;
    }
    if (delta.stop_id) result_.stop_id = delta.stop_id;
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
    if (finished_ && counted_ && *counted_ > result_.usage.completion_tokens) {
      return Fail(ErrorCode::kMismatch, "stream",
                  fmt::format("the server counted {} tokens, and {} ids came", *counted_,
                              result_.usage.completion_tokens));
    }
    return result_;
  }

 private:
  Status OnToken(const GeneratedToken& token) {
    if (n_vocab_ > 0 && token.id >= n_vocab_) {
      return Fail(ErrorCode::kFormat, "stream", fmt::format("an id is not below {}", n_vocab_),
                  "the server runs another model");
    }
    if (result_.usage.completion_tokens++ == 0) result_.timings.first_token_ms = MillisecondsSince(start_);
    const bool wanted = on_token_(token);
    const auto& stops = request_.sampling.stop_ids;
    const bool stop = std::find(stops.begin(), stops.end(), token.id) != stops.end();
    if (!stop && wanted) return Ok();
    result_.finish = stop ? FinishReason::kStop : FinishReason::kCancelled;
    if (stop) result_.stop_id = token.id;
    ended_here_ = true;
    return Fail(ErrorCode::kCancelled, "stream", "ended by the client");
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
  HttpUpstream(HttpClient client, std::unique_ptr<Dialect> dialect, int64_t n_vocab)
      : client_(std::move(client)), dialect_(std::move(dialect)), n_vocab_(n_vocab) {}

  Result<UpstreamInfo> Probe(std::stop_token cancel) override {
    UpstreamInfo info;
    bool first = true;
    for (const std::string& path : dialect_->InfoPaths()) {
      const Result<std::string> body = client_.Get(path, cancel);
      if (!body && first) return tl::unexpected(body.error());
      first = false;
      if (!body) continue;
      ISOVEIL_ASSIGN_OR_RETURN(const json answer, ParseJson(*body, path));
      dialect_->ReadInfo(path, answer, &info);
    }
    GenerateRequest request{
        .prompt = {0}, .sampling = {.max_tokens = 1, .temperature = 0, .ignore_eos = true, .n_probs = 1}};
    std::optional<GeneratedToken> token;
    ISOVEIL_ASSIGN_OR_RETURN(const GenerateResult result, Generate(
                                                              request,
                                                              [&](const GeneratedToken& t) {
                                                                token = t;
                                                                return true;
                                                              },
                                                              cancel));
    if (!token) {
      return Fail(ErrorCode::kUnsupported, client_.url().ToString(), "the server returns no token ids",
                  "use a llama-server of this version or newer");
    }
    info.can_generate = true;
    if (!token->logprob) info.missing.emplace_back("logprob");
    if (token->top.empty()) info.missing.emplace_back("top_logprobs");
    if (!result.timings.predict_ms) info.missing.emplace_back("timings");
    return info;
  }

  Result<GenerateResult> Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                  std::stop_token cancel) override {
    ISOVEIL_RETURN_IF_ERROR(CheckRequest(request, n_vocab_));
    const std::unique_ptr<StreamDecoder> decoder = dialect_->NewDecoder();
    Reception reception(request, *decoder, on_token, n_vocab_);
    SseParser parser;
    const auto on_event = [&](const SseEvent& event) { return reception.OnEvent(event); };
    const HttpCall call = dialect_->Generate(request);
    const Status status = client_.PostStream(
        call.path, call.body, [&](std::string_view chunk) { return parser.Feed(chunk, on_event); }, cancel);
    if (!status && reception.ended_here()) return reception.Finish();
    if (!status && cancel.stop_requested()) {
      Result<GenerateResult> result = reception.Finish();
      if (result) result->finish = FinishReason::kCancelled;
      return result;
    }
    ISOVEIL_RETURN_IF_ERROR(status);
    ISOVEIL_RETURN_IF_ERROR(parser.Finish());
    if (!reception.finished()) {
      return Fail(ErrorCode::kUnavailable, "stream", "the server closed it before the last event");
    }
    return reception.Finish();
  }

  Result<std::vector<float>> Embed(std::span<const int32_t> ids, std::stop_token cancel) override {
    const HttpCall call = dialect_->Embed(ids);
    ISOVEIL_ASSIGN_OR_RETURN(const std::string body, client_.Post(call.path, call.body, cancel));
    ISOVEIL_ASSIGN_OR_RETURN(const json answer, ParseJson(body, call.path));
    return dialect_->DecodeEmbedding(answer);
  }

 private:
  HttpClient client_;
  std::unique_ptr<Dialect> dialect_;
  int64_t n_vocab_;
};

}  // namespace

std::unique_ptr<Upstream> NewHttpUpstream(HttpClient client, std::unique_ptr<Dialect> dialect,
                                          int64_t n_vocab) {
  return std::make_unique<HttpUpstream>(std::move(client), std::move(dialect), n_vocab);
}

}  // namespace isoveil
