#include "isoveil/gateway/options.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace isoveil {
namespace {

Status ReadMaxTokens(const Json& body, ApiKind kind, const RequestLimits& limits, GenerationOptions& options) {
  const char* const newer = kind == ApiKind::kResponse ? "max_output_tokens" : "max_completion_tokens";
  ISOVEIL_ASSIGN_OR_RETURN(const auto recent, ReadInteger(body, newer, 1, INT64_MAX));
  // A completion of no tokens is its prompt, where that is echoed.
  const int64_t least = kind == ApiKind::kCompletion ? 0 : 1;
  ISOVEIL_ASSIGN_OR_RETURN(auto old, ReadInteger(body, "max_tokens", least, INT64_MAX));
  ISOVEIL_ASSIGN_OR_RETURN(const auto llama, ReadInteger(body, "n_predict", -1, INT64_MAX));  // -1: no bound
  if (!old && llama && *llama != -1) old = std::max<int64_t>(1, *llama);
  if (recent && old && *recent != *old) {
    return Fail(ErrorCode::kInvalidArgument, "max_tokens", fmt::format("differs from {}", newer), "send one of them");
  }
  const auto given = recent ? recent : old;
  options.has_max_tokens = given.has_value();
  // More than any context holds is the same as the context.
  if (given) options.sampling.max_tokens = static_cast<int32_t>(std::min(*given, limits.max_tokens));
  return Ok();
}

Status ReadStops(const Json& body, const RequestLimits& limits, GenerationOptions& options) {
  const Json& stop = Member(body, "stop");
  if (stop.is_null()) return Ok();
  const Json list = stop.is_array() ? stop : Json::array({stop});
  if (list.size() > limits.max_stops) {
    return BadMember("stop", fmt::format("at most {} strings", limits.max_stops));
  }
  for (const Json& text : list) {
    if (!text.is_string()) return BadMember("stop", "a string or a list of strings");
    options.stops.push_back(text.get<std::string>());
  }
  return Ok();
}

Status ReadLogitBias(const Json& body, GenerationOptions& options) {
  const Json& bias = Member(body, "logit_bias");
  if (bias.is_null()) return Ok();
  if (!bias.is_object()) return BadMember("logit_bias", "an object of token ids and numbers");
  for (const auto& [key, value] : bias.items()) {
    int32_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0) {
      return BadMember("logit_bias", "token ids as names");
    }
    if (!value.is_number() || std::abs(value.get<double>()) > 100) {
      return BadMember("logit_bias", "numbers from -100 to 100");
    }
    // OpenAI: -100 bans the token.
    const double number = value.get<double>();
    options.logit_bias.emplace_back(
        PlainId{id}, number == -100 ? -std::numeric_limits<float>::infinity() : static_cast<float>(number));
  }
  return Ok();
}

// The most probable token alone, which 0 asks for and no server takes.
constexpr double kLeastTopP = 1e-6;

Status ReadStopIds(const Json& body, const RequestLimits& limits, GenerationOptions& options) {
  const Json& ids = Member(body, "stop_token_ids");
  if (ids.is_null()) return Ok();
  if (!ids.is_array() || ids.size() > limits.max_stop_ids) {
    return BadMember("stop_token_ids", fmt::format("a list of at most {} token ids", limits.max_stop_ids));
  }
  for (const Json& id : ids) {
    if (!id.is_number_integer() || id < 0 || id > INT32_MAX) return BadMember("stop_token_ids", "token ids");
    options.stop_ids.push_back(id.get<PlainId>());
  }
  return Ok();
}

Status ReadNumbers(const Json& body, SamplingParams& sampling) {
  const auto number = [&](const char* name, double min, double max, double& out) -> Status {
    ISOVEIL_ASSIGN_OR_RETURN(const auto value, ReadNumber(body, name, min, max));
    if (value) out = *value;
    return Ok();
  };
  ISOVEIL_RETURN_IF_ERROR(number("temperature", 0, 2, sampling.temperature));
  ISOVEIL_RETURN_IF_ERROR(number("top_p", 0, 1, sampling.top_p));
  sampling.top_p = std::max(sampling.top_p, kLeastTopP);
  ISOVEIL_RETURN_IF_ERROR(number("min_p", 0, 0.999, sampling.min_p));
  ISOVEIL_RETURN_IF_ERROR(number("presence_penalty", -2, 2, sampling.presence_penalty));
  ISOVEIL_RETURN_IF_ERROR(number("frequency_penalty", -2, 2, sampling.frequency_penalty));
  ISOVEIL_RETURN_IF_ERROR(number("repeat_penalty", 0.01, 10, sampling.repeat_penalty));
  ISOVEIL_RETURN_IF_ERROR(number("repetition_penalty", 0.01, 10, sampling.repeat_penalty));
  ISOVEIL_ASSIGN_OR_RETURN(const auto top_k, ReadInteger(body, "top_k", -1, 1 << 20));
  if (top_k) sampling.top_k = std::max(0, static_cast<int32_t>(*top_k));
  ISOVEIL_ASSIGN_OR_RETURN(const auto seed, ReadInteger(body, "seed", INT64_MIN, INT64_MAX));
  if (seed) sampling.seed = static_cast<uint32_t>(*seed);
  ISOVEIL_ASSIGN_OR_RETURN(const auto ignore_eos, ReadBool(body, "ignore_eos"));
  sampling.ignore_eos = ignore_eos.value_or(false);
  return Ok();
}

// Of responses. What else can be included (encrypted thoughts, results of tools that run elsewhere) does not exist
// here.
Result<bool> IncludesLogprobs(const Json& body) {
  const Json& include = Member(body, "include");
  if (include.is_null()) return false;
  if (!include.is_array()) return BadMember("include", "a list");
  return std::find(include.begin(), include.end(), "message.output_text.logprobs") != include.end();
}

// Chat has a flag and a number, responses an inclusion and a number, completions a number.
Status ReadLogprobs(const Json& body, ApiKind kind, const RequestLimits& limits, GenerationOptions& options) {
  if (kind == ApiKind::kCompletion) {
    ISOVEIL_ASSIGN_OR_RETURN(const auto n, ReadInteger(body, "logprobs", 0, limits.max_top_logprobs));
    options.logprobs = n.has_value();
    options.sampling.n_probs = n ? std::max<int32_t>(1, static_cast<int32_t>(*n)) : 0;
    return Ok();
  }
  ISOVEIL_ASSIGN_OR_RETURN(const auto top, ReadInteger(body, "top_logprobs", 0, limits.max_top_logprobs));
  const bool responses = kind == ApiKind::kResponse;
  if (responses) {
    ISOVEIL_ASSIGN_OR_RETURN(options.logprobs, IncludesLogprobs(body));
  } else {
    ISOVEIL_ASSIGN_OR_RETURN(const auto flag, ReadBool(body, "logprobs"));
    options.logprobs = flag.value_or(false);
  }
  if (top && *top > 0 && !options.logprobs) {
    return BadMember("top_logprobs",
                     responses ? "include to hold message.output_text.logprobs" : "logprobs to be true as well");
  }
  options.top_logprobs = static_cast<int>(top.value_or(0));
  if (options.logprobs) options.sampling.n_probs = std::max<int32_t>(1, static_cast<int32_t>(top.value_or(0)));
  return Ok();
}

}  // namespace

Result<GenerationOptions> ReadOptions(const Json& body, ApiKind kind, const RequestLimits& limits) {
  GenerationOptions options;
  ISOVEIL_RETURN_IF_ERROR(RefuseWhatCannotBe(body, kind));
  ISOVEIL_RETURN_IF_ERROR(ReadNumbers(body, options.sampling));
  ISOVEIL_RETURN_IF_ERROR(ReadMaxTokens(body, kind, limits, options));
  ISOVEIL_RETURN_IF_ERROR(ReadStops(body, limits, options));
  ISOVEIL_RETURN_IF_ERROR(ReadStopIds(body, limits, options));
  ISOVEIL_RETURN_IF_ERROR(ReadLogitBias(body, options));
  ISOVEIL_RETURN_IF_ERROR(ReadLogprobs(body, kind, limits, options));
  ISOVEIL_ASSIGN_OR_RETURN(const auto n, ReadInteger(body, "n", 1, limits.max_choices));
  options.n = static_cast<int>(n.value_or(1));
  ISOVEIL_ASSIGN_OR_RETURN(const auto stream, ReadBool(body, "stream"));
  options.stream = stream.value_or(false);
  const Json& stream_options = Member(body, "stream_options");
  if (!stream_options.is_null()) {
    if (!stream_options.is_object()) return BadMember("stream_options", "an object");
    if (!options.stream) return BadMember("stream_options", "stream to be true as well");
    ISOVEIL_ASSIGN_OR_RETURN(const auto usage, ReadBool(stream_options, "include_usage"));
    options.include_usage = usage.value_or(false);
  }
  return options;
}

}  // namespace isoveil
