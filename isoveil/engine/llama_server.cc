#include "isoveil/engine/llama_server.h"

#include <cmath>

#include "isoveil/engine/json_fields.h"

namespace isoveil {
namespace {

using json = nlohmann::ordered_json;

// What the last event is to hold. Without this it repeats the whole prompt as names, and all settings.
constexpr const char* kEndFields[] = {"tokens", "stop", "stop_type", "tokens_evaluated", "tokens_predicted", "timings"};

// [[id, bias], ...]; false bans an id.
json LogitBias(const std::vector<std::pair<WireId, float>>& biases) {
  json list = json::array();
  for (const auto& [id, bias] : biases) {
    list.push_back(std::isinf(bias) ? json::array({id, false}) : json::array({id, bias}));
  }
  return list;
}

// {"id": 7, "logprob": -0.5, ...}
Result<TokenLogprob> ReadLogprob(const json& entry) {
  const json* id = FieldOrNull(entry, "id");
  if (id == nullptr) return BadField("completion_probabilities.id", "a token id, found nothing");
  const std::optional<double> value = NumberOrNull(entry, "logprob");
  if (!value) return BadField("completion_probabilities.logprob", "a number");
  TokenLogprob logprob;
  ISOVEIL_ASSIGN_OR_RETURN(logprob.id, ReadWireId(*id, "completion_probabilities.id"));
  logprob.logprob = static_cast<float>(*value);
  return logprob;
}

class Decoder : public StreamDecoder {
 public:
  Result<StreamDelta> Decode(const json& event) override {
    StreamDelta delta;
    ISOVEIL_ASSIGN_OR_RETURN(const json* tokens, ArrayField(event, "tokens"));
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<WireId> ids, ReadWireIds(*tokens, "tokens"));
    for (const WireId id : ids) delta.tokens.push_back({id, std::nullopt, {}});
    if (!ids.empty()) last_id_ = ids.back();
    ISOVEIL_RETURN_IF_ERROR(AddProbabilities(event, delta));
    const json* stop = FieldOrNull(event, "stop");
    if (stop == nullptr || !stop->is_boolean()) return BadField("stop", "true or false");
    if (stop->get<bool>()) ISOVEIL_RETURN_IF_ERROR(ReadEnd(event, delta));
    return delta;
  }

 private:
  static Status AddProbabilities(const json& event, StreamDelta& delta) {
    const json* list = FieldOrNull(event, "completion_probabilities");
    if (list == nullptr || !list->is_array() || list->size() != delta.tokens.size()) return Ok();
    for (size_t i = 0; i < delta.tokens.size(); ++i) {
      const json& entry = (*list)[i];
      ISOVEIL_ASSIGN_OR_RETURN(const TokenLogprob own, ReadLogprob(entry));
      if (own.id != delta.tokens[i].id) return BadField("completion_probabilities.id", "the id in 'tokens'");
      delta.tokens[i].logprob = own.logprob;
      const json* top = FieldOrNull(entry, "top_logprobs");
      if (top == nullptr || !top->is_array()) continue;
      for (const json& alternative : *top) {
        ISOVEIL_ASSIGN_OR_RETURN(const TokenLogprob logprob, ReadLogprob(alternative));
        delta.tokens[i].top.push_back(logprob);
      }
    }
    return Ok();
  }

  Status ReadEnd(const json& event, StreamDelta& delta) const {
    const std::string type = TextOrEmpty(event, "stop_type");
    if (type == "limit") {
      delta.finish = FinishReason::kLength;
    } else if (type == "eos") {
      delta.finish = FinishReason::kStop;
      delta.stop_id = last_id_;
    } else {
      return BadField("stop_type", "'eos' or 'limit', found " + Quoted(type));
    }
    delta.prompt_tokens = CountOrNull(event, "tokens_evaluated");
    delta.completion_tokens = CountOrNull(event, "tokens_predicted");
    if (const json* timings = FieldOrNull(event, "timings")) {
      delta.cached_tokens = CountOrNull(*timings, "cache_n");
      delta.prompt_ms = NumberOrNull(*timings, "prompt_ms");
      delta.predict_ms = NumberOrNull(*timings, "predicted_ms");
    }
    return Ok();
  }

  std::optional<WireId> last_id_;
};

class LlamaServer : public Dialect {
 public:
  UpstreamKind kind() const override { return UpstreamKind::kLlamaServer; }

  HttpCall Generate(const GenerateRequest& request) const override {
    const SamplingParams& s = request.sampling;
    json body = {{"prompt", request.prompt},
                 {"n_predict", s.max_tokens},
                 {"stream", true},
                 {"return_tokens", true},
                 {"response_fields", kEndFields},
                 {"cache_prompt", request.cache_prompt},
                 {"temperature", s.temperature},
                 {"top_p", s.top_p},
                 {"top_k", s.top_k},
                 {"min_p", s.min_p},
                 {"presence_penalty", s.presence_penalty},
                 {"frequency_penalty", s.frequency_penalty},
                 {"repeat_penalty", s.repeat_penalty},
                 {"ignore_eos", s.ignore_eos},
                 {"n_probs", s.n_probs}};
    if (s.seed) body["seed"] = *s.seed;
    if (!request.logit_bias.empty()) body["logit_bias"] = LogitBias(request.logit_bias);
    return {"/completion", body.dump()};
  }

  std::unique_ptr<StreamDecoder> NewDecoder() const override { return std::make_unique<Decoder>(); }

  HttpCall Embed(std::span<const WireId> ids) const override {
    const json body = {{"content", std::vector<WireId>(ids.begin(), ids.end())}, {"embd_normalize", -1}};
    return {"/embedding", body.dump()};
  }

  Result<std::vector<float>> DecodeEmbedding(const json& answer) const override {
    if (!answer.is_array() || answer.empty()) return BadField("embedding", "a list with one entry");
    ISOVEIL_ASSIGN_OR_RETURN(const json* rows, ArrayField(answer.front(), "embedding"));
    // Older versions give the vector itself, newer ones a list with the one vector of the pooling.
    if (rows->empty() || !rows->front().is_array()) return Floats(*rows, "embedding");
    if (rows->size() != 1) return BadField("embedding", "one vector: start the server with --pooling");
    return Floats(rows->front(), "embedding");
  }

  std::vector<std::string> InfoPaths() const override { return {"/v1/models", "/props"}; }

  void ReadInfo(const std::string& path, const json& answer, UpstreamInfo* info) const override {
    info->kind = kind();
    if (path == "/props") {
      info->version = TextOrEmpty(answer, "build_info");
      info->n_slots = IntOrNull(answer, "total_slots");
      return;
    }
    const json* models = FieldOrNull(answer, "data");
    if (models == nullptr || !models->is_array() || models->empty()) return;
    if (const json* meta = FieldOrNull(models->front(), "meta")) {
      info->n_vocab = IntOrNull(*meta, "n_vocab");
      info->n_context = IntOrNull(*meta, "n_ctx");
      if (!info->n_context) info->n_context = IntOrNull(*meta, "n_ctx_train");
      info->n_embd = IntOrNull(*meta, "n_embd");
    }
  }
};

}  // namespace

std::unique_ptr<Dialect> LlamaServerDialect() { return std::make_unique<LlamaServer>(); }

}  // namespace isoveil
