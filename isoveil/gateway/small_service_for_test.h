// A model of 261 tokens, the bytes and a few words, whose server says what a test wants.
//
//   SmallService small;
//   small.upstream.answers = {"Hello"};          // in turn; the last one stays
//   CollectedReply reply = small.Post(ChatCompletions, R"({"messages": [...]})");
#pragma once

#include <mutex>

#include "isoveil/engine/typed_upstream_for_test.h"
#include "isoveil/gateway/endpoint.h"
#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {

inline constexpr PlainId kSmallEnd{256};

// Gives the ids of a text, and keeps what it was asked. Each byte is a token of its own, so that every
// character of more than one byte is split.
class ScriptedUpstream final : public TypedUpstream {
 public:
  explicit ScriptedUpstream(const VocabCipher& cipher) : cipher_(cipher) {}

  Result<UpstreamInfo> Probe(std::stop_token = {}) override {
    if (failure) return tl::unexpected(*failure);
    return UpstreamInfo{.n_vocab = n_vocab, .n_context = 4096, .tasks = {TaskKind::kGenerate, TaskKind::kScore}};
  }

  Result<Contact> Look(std::stop_token = {}) override { return Contact{}; }
  bool Stands(const Contact&) const override { return true; }

  Result<GenerateResult> Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                  std::stop_token cancel) override {
    std::string text;
    {
      const std::lock_guard lock(mutex_);
      text = answers[std::min(requests.size(), answers.size() - 1)];
      requests.push_back(request);
    }
    if (failure && failure_after == 0) return tl::unexpected(*failure);
    GenerateResult result{.usage = {.prompt_tokens = request.prompt.size()}};
    for (const char byte : text) {
      if (cancel.stop_requested()) return result.finish = FinishReason::kCancelled, result;
      if (failure && result.usage.completion_tokens == failure_after) return tl::unexpected(*failure);
      if (result.usage.completion_tokens == static_cast<uint64_t>(request.sampling.max_tokens)) {
        return result.finish = FinishReason::kLength, result;
      }
      ++result.usage.completion_tokens;
      if (!on_token(Token(IdOf(byte), request.sampling.n_probs))) {
        return result.finish = FinishReason::kCancelled, result;
      }
    }
    ++result.usage.completion_tokens;
    on_token(Token(kSmallEnd, request.sampling.n_probs));
    result.stop_id = *cipher_.Encrypt(kSmallEnd);
    return result;
  }

  Result<std::vector<GeneratedToken>> Score(std::span<const WireId> ids, int32_t n_top, std::stop_token) override {
    if (failure) return tl::unexpected(*failure);
    std::vector<GeneratedToken> tokens;
    for (const WireId id : ids) tokens.push_back(Token(*cipher_.Decrypt(id), tokens.empty() ? 0 : n_top));
    return tokens;
  }

  static PlainId IdOf(char byte) { return static_cast<PlainId>(static_cast<unsigned char>(byte)); }

  std::vector<std::string> answers = {"Hello"};
  std::optional<Error> failure;
  uint64_t failure_after = 0;  // tokens
  std::optional<WireId> lie;   // an id that is sent instead of every other
  int64_t n_vocab = 261;
  std::vector<GenerateRequest> requests;

 private:
  GeneratedToken Token(PlainId plain, int n_probs) const {
    GeneratedToken token{.id = lie.value_or(*cipher_.Encrypt(plain))};
    if (n_probs > 0) {
      token.logprob = -0.25F;
      for (int i = 0; i < n_probs; ++i) {
        token.top.push_back({*cipher_.Encrypt(PlainId{(Value(plain) + i) % 261}), -0.25F - static_cast<float>(i)});
      }
    }
    return token;
  }

  const VocabCipher& cipher_;
  std::mutex mutex_;
};

class CollectedReply final : public ReplyWriter {
 public:
  void Send(int code, std::string text, std::string type) override {
    ++whole;
    status = code;
    body = std::move(text);
    content_type = std::move(type);
  }
  bool Event(std::string_view name, std::string_view data) override {
    events.emplace_back(name, data);
    return events.size() < leaves_after;
  }
  bool has_events() const override { return !events.empty(); }
  void Fail(const ApiError& error) override {
    if (has_events()) {
      events.emplace_back("error", error.ToJson().dump());
    } else {
      Send(error.status, error.ToJson().dump(), "application/json");
    }
  }

  Json json() const { return Json::parse(body); }

  int whole = 0;
  int status = 0;
  std::string body;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> events;
  size_t leaves_after = SIZE_MAX;
};

inline constexpr char kSmallTemplate[] =
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt "
    "%}[assistant]{% endif %}";

struct SmallService {
  using Api = void (*)(const ModelService&, const ApiRequest&, ReplyWriter&);

  explicit SmallService(const char* chat_template = kSmallTemplate) {
    service.chat = ChatTemplate::Parse(chat_template, "", "<|end|>").value();
  }

  static ClientFolder MakeClient() {
    const RootKey root = RootKey::Generate().value();
    Manifest manifest;
    manifest.ports = TextPorts(261);
    return {.manifest = std::move(manifest),
            .vocabulary = Vocabulary::FromMetadata(SmallByteLevel(), "small").value(),
            .cipher = VocabCipher::Derive(ModelKey(root, {}), TextPorts(261).spaces.front()).value()};
  }

  CollectedReply Post(Api api, std::string body, std::string target = "") {
    CollectedReply reply;
    api(service, {.body = std::move(body), .id = "req_test", .target = std::move(target), .cancel = {}}, reply);
    return reply;
  }

  CollectedReply PostTo(const Endpoint& endpoint, std::string body) {
    CollectedReply reply;
    AnswerAt(endpoint, service, {.body = std::move(body), .id = "req_test", .cancel = {}}, reply);
    return reply;
  }

  // What was sent for the request `index`, decrypted.
  std::string PromptText(size_t index = 0) const {
    const auto ids = client.cipher.Decrypt(upstream.requests.at(index).prompt).value();
    return client.vocabulary.Detokenize(ids, {.special = true}).value();
  }

  ClientFolder client = MakeClient();
  ScriptedUpstream upstream{client.cipher};
  ModelService service{.client = client, .upstream = &upstream, .name = "small"};
};

}  // namespace isoveil
