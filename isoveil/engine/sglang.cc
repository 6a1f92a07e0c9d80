// How SGLang writes requests and answers: `/generate` with `input_ids` and `output_ids`, `/encode`.
//
// Read in SGLang's documentation and its sampling_params.py and tokenizer_manager.py, not run against a
// server. Examples: tests/vectors/engine/sglang-*.json.
//
// An event repeats all ids so far, unless the server streams increments (`--stream-output`, or
// `--incremental-streaming-output`), which costs less; `completion_tokens` tells the two apart. Timings
// are not told, and there is no switch for `cache_prompt`.
#include <cmath>

#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/server_kind.h"

namespace isoveil {
namespace {

using json = nlohmann::ordered_json;

// JSON has no infinity; no logit comes near this.
constexpr float kBan = -1e9F;

// {"id": bias, ...}
json LogitBias(const std::vector<std::pair<WireId, float>>& biases) {
  json map = json::object();
  for (const auto& [id, bias] : biases) map[std::to_string(Value(id))] = std::isinf(bias) ? kBan : bias;
  return map;
}

// [logprob, id, text or null]
Result<TokenLogprob> ReadLogprob(const json& entry, std::string_view field) {
  if (!entry.is_array() || entry.size() < 2 || !entry[0].is_number()) {
    return BadField(field, "[logprob, id, ...]");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const WireId id, ReadWireId(entry[1], field));
  return TokenLogprob{id, entry[0].get<float>()};
}

class Decoder : public StreamDecoder {
 public:
  Result<StreamDelta> Decode(const json& event) override {
    StreamDelta delta;
    ISOVEIL_ASSIGN_OR_RETURN(const json* list, ArrayField(event, "output_ids"));
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<WireId> ids, ReadWireIds(*list, "output_ids"));
    const json* meta = FieldOrNull(event, "meta_info");
    if (meta == nullptr) return BadField("meta_info", "an object, found nothing");
    const auto total = CountOrNull(*meta, "completion_tokens");
    if (!total) return BadField("meta_info.completion_tokens", "a count");
    ISOVEIL_ASSIGN_OR_RETURN(const size_t first, FirstNew(ids, *total));
    for (size_t i = first; i < ids.size(); ++i) {
      GeneratedToken token{ids[i], std::nullopt, {}};
      ISOVEIL_RETURN_IF_ERROR(ReadLogprobs(*meta, i, token));
      delta.tokens.push_back(std::move(token));
      last_id_ = ids[i];
      ++delivered_;
    }
    delta.prompt_tokens = CountOrNull(*meta, "prompt_tokens");
    delta.cached_tokens = CountOrNull(*meta, "cached_tokens");
    ISOVEIL_RETURN_IF_ERROR(ReadFinish(*meta, delta));
    if (delta.finish) delta.completion_tokens = *total;
    return delta;
  }

 private:
  // Where the ids begin that have not been delivered. All ids may run ahead of the count, because the
  // server goes on while it writes the event.
  Result<size_t> FirstNew(const std::vector<WireId>& ids, uint64_t total) const {
    if (delivered_ > 0 && delivered_ + ids.size() == total) return 0;
    const bool all = ids.size() >= total && ids.size() >= delivered_;
    if (all && (delivered_ == 0 || ids[delivered_ - 1] == last_id_)) return delivered_;
    return BadField("output_ids",
                    fmt::format("all {} ids, or those after the first {}, found {}", total, delivered_, ids.size()));
  }

  static Status ReadLogprobs(const json& meta, size_t i, GeneratedToken& token) {
    const json* own = FieldOrNull(meta, "output_token_logprobs");
    if (own == nullptr || !own->is_array() || i >= own->size()) return Ok();
    ISOVEIL_ASSIGN_OR_RETURN(const TokenLogprob logprob, ReadLogprob((*own)[i], "output_token_logprobs"));
    if (logprob.id != token.id) return BadField("output_token_logprobs", "the ids in 'output_ids'");
    token.logprob = logprob.logprob;
    const json* top = FieldOrNull(meta, "output_top_logprobs");
    if (top == nullptr || !top->is_array() || i >= top->size() || !(*top)[i].is_array()) return Ok();
    for (const json& entry : (*top)[i]) {
      ISOVEIL_ASSIGN_OR_RETURN(const TokenLogprob alternative, ReadLogprob(entry, "output_top_logprobs"));
      token.top.push_back(alternative);
    }
    return Ok();
  }

  // {"type": "stop", "matched": 7}, {"type": "length", "length": 16} or {"type": "abort", "message": ...}
  static Status ReadFinish(const json& meta, StreamDelta& delta) {
    const json* reason = FieldOrNull(meta, "finish_reason");
    if (reason == nullptr || reason->is_null()) return Ok();
    const std::string type = TextOrEmpty(*reason, "type");
    if (type == "abort") {
      return Fail(ErrorCode::kUnavailable, "the server's error", Quoted(TextOrEmpty(*reason, "message")),
                  "look at the server's log");
    }
    if (type != "stop" && type != "length") {
      return BadField("finish_reason.type", "'stop' or 'length', found " + Quoted(type));
    }
    delta.finish = type == "stop" ? FinishReason::kStop : FinishReason::kLength;
    const json* matched = FieldOrNull(*reason, "matched");
    if (matched != nullptr && matched->is_number()) {
      ISOVEIL_ASSIGN_OR_RETURN(delta.stop_id, ReadWireId(*matched, "finish_reason.matched"));
    }
    return Ok();
  }

  size_t delivered_ = 0;
  WireId last_id_{-1};
};

HttpCall WriteGenerate(const GenerateRequest& request, std::string_view) {
  const SamplingParams& s = request.sampling;
  json sampling = {{"max_new_tokens", s.max_tokens},
                   {"temperature", s.temperature},
                   {"top_p", s.top_p},
                   {"top_k", s.top_k == 0 ? -1 : s.top_k},
                   {"min_p", s.min_p},
                   {"presence_penalty", s.presence_penalty},
                   {"frequency_penalty", s.frequency_penalty},
                   {"repetition_penalty", s.repeat_penalty},
                   {"ignore_eos", s.ignore_eos},
                   {"skip_special_tokens", false}};
  if (s.seed) sampling["sampling_seed"] = *s.seed;
  if (!request.stop_ids.empty()) sampling["stop_token_ids"] = request.stop_ids;
  if (!request.logit_bias.empty()) sampling["logit_bias"] = LogitBias(request.logit_bias);
  json body = {{"input_ids", request.prompt}, {"sampling_params", std::move(sampling)}, {"stream", true}};
  if (s.n_probs > 0) {
    body["return_logprob"] = true;
    body["top_logprobs_num"] = s.n_probs;
    body["logprob_start_len"] = -1;
    body["return_text_in_logprobs"] = false;
  }
  return {"/generate", body.dump()};
}

HttpCall WriteEmbed(const VectorRequest& request) {
  const json body = {{"input_ids", request.inputs}};
  return {"/encode", body.dump()};
}

// [{"embedding": [0.5, ...]}, ...], in the order of the question; the entry itself where one was asked for.
Result<Vectors> ReadEmbed(const json& answer) {
  Vectors vectors;
  const json list = answer.is_array() ? answer : json::array({answer});
  for (const json& entry : list) {
    ISOVEIL_ASSIGN_OR_RETURN(const json* numbers, ArrayField(entry, "embedding"));
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<float> vector, Floats(*numbers, "embedding"));
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

constexpr std::string_view kInfoPaths[] = {"/v1/models", "/get_server_info"};

void ReadInfo(std::string_view path, const json& answer, UpstreamInfo* info) {
  if (path == "/get_server_info") {
    info->version = TextOrEmpty(answer, "version");
    return;
  }
  info->n_context = ContextOfModels(answer);
}

constexpr GenerateDialect kGenerate = {&WriteGenerate,
                                       []() -> std::unique_ptr<StreamDecoder> { return std::make_unique<Decoder>(); }};
constexpr VectorDialect kEmbed = {&WriteEmbed, &ReadEmbed};

}  // namespace

const ServerKind& Sglang() {
  static constexpr ServerKind kKind = {.name = "sglang",
                                       .owner = "sglang",
                                       .info_paths = kInfoPaths,
                                       .read_info = &ReadInfo,
                                       .generate = &kGenerate,
                                       .embed = &kEmbed};
  return kKind;
}

}  // namespace isoveil
