// How a stock llama-server writes requests and answers: `/completion` with ids both ways.
//
// Stop ids: llama-server has no stop by id. It stops by itself on the end ids of the checkpoint, and for
// any other id the caller ends the stream, which needs nothing of the server.
#include <cmath>

#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/server_kind.h"

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

HttpCall WriteGenerate(const GenerateRequest& request, std::string_view) {
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

HttpCall WriteEmbed(const VectorRequest& request) {
  // -1 is as the model gives it.
  const json body = {{"content", request.inputs}, {"embd_normalize", -1}};
  return {"/embedding", body.dump()};
}

// Older versions give the vector itself, newer ones a list with the one vector of the pooling.
Result<std::vector<float>> ReadVector(const json& entry) {
  ISOVEIL_ASSIGN_OR_RETURN(const json* rows, ArrayField(entry, "embedding"));
  if (rows->empty() || !rows->front().is_array()) return Floats(*rows, "embedding");
  if (rows->size() != 1) return BadField("embedding", "one vector: start the server with --pooling");
  return Floats(rows->front(), "embedding");
}

// [{"index": 0, "embedding": [[0.5, ...]]}, ...]
Result<Vectors> ReadEmbed(const json& answer) { return InOrderOfIndex(answer, &ReadVector); }

constexpr std::string_view kInfoPaths[] = {"/v1/models", "/props"};

void ReadInfo(std::string_view path, const json& answer, UpstreamInfo* info) {
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

constexpr GenerateDialect kGenerate = {&WriteGenerate,
                                       []() -> std::unique_ptr<StreamDecoder> { return std::make_unique<Decoder>(); }};
constexpr VectorDialect kEmbed = {&WriteEmbed, &ReadEmbed};

}  // namespace

const ServerKind& LlamaServer() {
  static constexpr ServerKind kKind = {.name = "llama-server",
                                       .owner = "llamacpp",
                                       .info_paths = kInfoPaths,
                                       .read_info = &ReadInfo,
                                       .generate = &kGenerate,
                                       .embed = &kEmbed};
  return kKind;
}

}  // namespace isoveil
