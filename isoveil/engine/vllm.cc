// How vLLM writes requests and answers: `/v1/completions` with `return_token_ids` (vLLM 0.10.2 or newer) and
// `prompt_logprobs`, `/v1/embeddings`, `/classify` (with ids since vLLM 0.14).
//
// Run on vLLM 0.32.0 by tests/test_vllm.py. Examples: tests/vectors/engine/vllm-*.json.
//
// The served folder needs its placeholder tokenizer and the end ids of its generation_config.json, as
// `isoveil encrypt` writes them. Biases are held in [-100, 100], vLLM's own range: -100 stands for a ban.
// It has no switch for `cache_prompt`; a cache salt keeps users apart instead. Timings are not told.
#include <algorithm>
#include <charconv>

#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/server_kind.h"

namespace isoveil {
namespace {

using json = nlohmann::ordered_json;

constexpr float kMaxBias = 100;

// {"id": bias, ...}
json LogitBias(const std::vector<std::pair<WireId, float>>& biases) {
  json map = json::object();
  for (const auto& [id, bias] : biases) map[std::to_string(Value(id))] = std::clamp(bias, -kMaxBias, kMaxBias);
  return map;
}

Result<WireId> ReadNumber(std::string_view text, std::string_view field) {
  int32_t id = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc() && end == text.data() + text.size() && id >= 0) return WireId{id};
  return BadField(field, "the number of an id");
}

// Most probable first.
void SortByLikelihood(std::vector<TokenLogprob>& top) {
  std::stable_sort(top.begin(), top.end(),
                   [](const TokenLogprob& a, const TokenLogprob& b) { return a.logprob > b.logprob; });
}

// "token_id:7", as `return_tokens_as_token_ids` writes a token.
Result<WireId> ReadNamedId(std::string_view name, std::string_view field) {
  constexpr std::string_view kPrefix = "token_id:";
  if (!name.starts_with(kPrefix)) return BadField(field, "'token_id:' and a number");
  return ReadNumber(name.substr(kPrefix.size()), field);
}

class Decoder : public StreamDecoder {
 public:
  Result<StreamDelta> Decode(const json& event) override {
    StreamDelta delta;
    ISOVEIL_ASSIGN_OR_RETURN(const json* choices, ArrayField(event, "choices"));
    if (!choices->empty()) ISOVEIL_RETURN_IF_ERROR(ReadChoice(choices->front(), delta));
    if (const json* usage = FieldOrNull(event, "usage")) {
      delta.prompt_tokens = CountOrNull(*usage, "prompt_tokens");
      delta.completion_tokens = CountOrNull(*usage, "completion_tokens");
      if (const json* details = FieldOrNull(*usage, "prompt_tokens_details")) {
        delta.cached_tokens = CountOrNull(*details, "cached_tokens");
      }
    }
    return delta;
  }

 private:
  static Status ReadChoice(const json& choice, StreamDelta& delta) {
    ISOVEIL_ASSIGN_OR_RETURN(const json* list, ArrayField(choice, "token_ids"));
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<WireId> ids, ReadWireIds(*list, "token_ids"));
    for (const WireId id : ids) delta.tokens.push_back({id, std::nullopt, {}});
    if (const json* logprobs = FieldOrNull(choice, "logprobs")) {
      ISOVEIL_RETURN_IF_ERROR(ReadLogprobs(*logprobs, delta.tokens));
    }
    const std::string reason = TextOrEmpty(choice, "finish_reason");
    if (reason.empty()) return Ok();
    if (reason != "stop" && reason != "length") {
      return BadField("finish_reason", "'stop' or 'length', found " + Quoted(reason));
    }
    delta.finish = reason == "stop" ? FinishReason::kStop : FinishReason::kLength;
    const json* stop = FieldOrNull(choice, "stop_reason");
    if (stop != nullptr && stop->is_number()) {
      ISOVEIL_ASSIGN_OR_RETURN(delta.stop_id, ReadWireId(*stop, "stop_reason"));
    }
    return Ok();
  }

  // {"token_logprobs": [-0.1], "top_logprobs": [{"token_id:7": -0.1}]}
  static Status ReadLogprobs(const json& logprobs, std::vector<GeneratedToken>& tokens) {
    const json* own = FieldOrNull(logprobs, "token_logprobs");
    const json* top = FieldOrNull(logprobs, "top_logprobs");
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (own != nullptr && own->is_array() && i < own->size() && (*own)[i].is_number()) {
        tokens[i].logprob = (*own)[i].get<float>();
      }
      if (top == nullptr || !top->is_array() || i >= top->size() || !(*top)[i].is_object()) continue;
      for (const auto& [name, value] : (*top)[i].items()) {
        if (!value.is_number()) return BadField("top_logprobs", "numbers");
        ISOVEIL_ASSIGN_OR_RETURN(const WireId id, ReadNamedId(name, "top_logprobs"));
        tokens[i].top.push_back({id, value.get<float>()});
      }
      SortByLikelihood(tokens[i].top);
    }
    return Ok();
  }
};

// {"7": {"logprob": -0.1, "rank": 1, "decoded_token": "x"}, ...}: the alternatives at one place, and the prompt's own
// id.
Status ReadPlace(const json& place, GeneratedToken& token) {
  if (!place.is_object()) return BadField("prompt_logprobs", "an object for each id after the first");
  for (const auto& [name, entry] : place.items()) {
    ISOVEIL_ASSIGN_OR_RETURN(const WireId id, ReadNumber(name, "prompt_logprobs"));
    const auto logprob = NumberOrNull(entry, "logprob");
    if (!logprob) return BadField("prompt_logprobs.logprob", "a number");
    token.top.push_back({id, static_cast<float>(*logprob)});
    if (id == token.id) token.logprob = token.top.back().logprob;
  }
  if (!token.logprob) return BadField("prompt_logprobs", "the prompt's own id at each place");
  SortByLikelihood(token.top);
  return Ok();
}

HttpCall WriteGenerate(const GenerateRequest& request, std::string_view cache_salt) {
  const SamplingParams& s = request.sampling;
  json body = {{"prompt", request.prompt},
               {"max_tokens", s.max_tokens},
               {"stream", true},
               {"stream_options", {{"include_usage", true}}},
               {"return_token_ids", true},
               {"add_special_tokens", false},
               {"skip_special_tokens", false},
               {"temperature", s.temperature},
               {"top_p", s.top_p},
               // Older versions refuse 0.
               {"top_k", s.top_k == 0 ? -1 : s.top_k},
               {"min_p", s.min_p},
               {"presence_penalty", s.presence_penalty},
               {"frequency_penalty", s.frequency_penalty},
               {"repetition_penalty", s.repeat_penalty},
               {"ignore_eos", s.ignore_eos}};
  if (s.seed) body["seed"] = *s.seed;
  if (!request.stop_ids.empty()) body["stop_token_ids"] = request.stop_ids;
  if (!request.logit_bias.empty()) body["logit_bias"] = LogitBias(request.logit_bias);
  if (s.n_probs > 0) {
    body["logprobs"] = s.n_probs;
    body["return_tokens_as_token_ids"] = true;
  }
  if (!cache_salt.empty()) body["cache_salt"] = cache_salt;
  return {"/v1/completions", body.dump()};
}

HttpCall WriteScore(std::span<const WireId> ids, int32_t n_top, std::string_view cache_salt) {
  json body = {{"prompt", std::vector<WireId>(ids.begin(), ids.end())},
               {"max_tokens", 1},  // fewer are refused
               {"temperature", 0},
               {"prompt_logprobs", n_top},
               {"return_token_ids", true},
               {"add_special_tokens", false}};
  if (!cache_salt.empty()) body["cache_salt"] = cache_salt;
  return {"/v1/completions", body.dump()};
}

Result<std::vector<GeneratedToken>> ReadScores(const json& answer) {
  ISOVEIL_ASSIGN_OR_RETURN(const json* choices, ArrayField(answer, "choices"));
  if (choices->size() != 1) return BadField("choices", "one entry");
  ISOVEIL_ASSIGN_OR_RETURN(const json* list, ArrayField(choices->front(), "prompt_token_ids"));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<WireId> ids, ReadWireIds(*list, "prompt_token_ids"));
  ISOVEIL_ASSIGN_OR_RETURN(const json* places, ArrayField(choices->front(), "prompt_logprobs"));
  if (places->size() != ids.size()) return BadField("prompt_logprobs", "one entry for each id of the prompt");
  std::vector<GeneratedToken> tokens;
  for (size_t i = 0; i < ids.size(); ++i) {
    tokens.push_back({ids[i], std::nullopt, {}});
    if (i > 0) ISOVEIL_RETURN_IF_ERROR(ReadPlace((*places)[i], tokens.back()));
  }
  return tokens;
}

HttpCall WriteEmbed(const VectorRequest& request) {
  const json body = {{"input", request.inputs}, {"encoding_format", "float"}};
  return {"/v1/embeddings", body.dump()};
}

Result<std::vector<float>> ReadVector(const json& entry) {
  ISOVEIL_ASSIGN_OR_RETURN(const json* vector, ArrayField(entry, "embedding"));
  return Floats(*vector, "embedding");
}

// {"data": [{"index": 0, "embedding": [0.5, ...]}, ...]}
Result<Vectors> ReadEmbed(const json& answer) {
  ISOVEIL_ASSIGN_OR_RETURN(const json* data, ArrayField(answer, "data"));
  return InOrderOfIndex(*data, &ReadVector);
}

HttpCall WriteClassify(const VectorRequest& request) {
  const json body = {{"input", request.inputs}, {"use_activation", false}};
  return {"/classify", body.dump()};
}

Result<std::vector<float>> ReadNumbers(const json& entry) {
  ISOVEIL_ASSIGN_OR_RETURN(const json* numbers, ArrayField(entry, "probs"));
  return Floats(*numbers, "probs");
}

// {"data": [{"index": 0, "label": "LABEL_1", "probs": [0.5, ...], "num_classes": 2}, ...]}
Result<Vectors> ReadClassify(const json& answer) {
  ISOVEIL_ASSIGN_OR_RETURN(const json* data, ArrayField(answer, "data"));
  return InOrderOfIndex(*data, &ReadNumbers);
}

constexpr std::string_view kInfoPaths[] = {"/v1/models", "/version"};

void ReadInfo(std::string_view path, const json& answer, UpstreamInfo* info) {
  if (path == "/version") {
    info->version = TextOrEmpty(answer, "version");
    return;
  }
  info->n_context = ContextOfModels(answer);
}

constexpr GenerateDialect kGenerate = {&WriteGenerate,
                                       []() -> std::unique_ptr<StreamDecoder> { return std::make_unique<Decoder>(); }};
constexpr ScoreDialect kScore = {&WriteScore, &ReadScores};
constexpr VectorDialect kEmbed = {&WriteEmbed, &ReadEmbed};
constexpr VectorDialect kClassify = {&WriteClassify, &ReadClassify};

}  // namespace

const ServerKind& Vllm() {
  static constexpr ServerKind kKind = {.name = "vllm",
                                       .owner = "vllm",
                                       .info_paths = kInfoPaths,
                                       .read_info = &ReadInfo,
                                       .generate = &kGenerate,
                                       .score = &kScore,
                                       .embed = &kEmbed,
                                       .classify = &kClassify};
  return kKind;
}

}  // namespace isoveil
