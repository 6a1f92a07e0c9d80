#include "isoveil/gateway/refused_members.h"

#include <algorithm>

namespace isoveil {
namespace {

constexpr const char* kNeedsText = "the server sees no text, so it cannot look for words or grammars";
constexpr const char* kSampling =
    "the sampling members of OpenAI, top_k, min_p, repeat_penalty, stop_token_ids and ignore_eos are passed on";
constexpr const char* kForm = "answers have OpenAI's form here";
constexpr const char* kOnlyText = "only text can be encrypted";
constexpr const char* kBudget = "use reasoning_effort, or max_tokens for the whole answer";
constexpr const char* kWhole = "cut texts where you send them";
constexpr const char* kUnit = "vectors have length 1, as OpenAI's";
constexpr const char* kTemplate = "the model's own chat template is used";

struct Refusal {
  const char* name = "";
  const char* why = "";
  const char* nothing = "null";  // a JSON list of the values that ask for nothing, or one of them
  bool empty_asks = false;       // an object without members asks for the thing itself
};

// null, false, "" and [] ask for nothing in all of these, {} in most.
constexpr Refusal kRefused[] = {
    // Grammars and words: all dialects.
    {"grammar", kNeedsText},
    {"grammar_triggers", kNeedsText},
    {"json_schema", "use response_format"},
    {"guided_json", kNeedsText},
    {"guided_regex", kNeedsText},
    {"guided_grammar", kNeedsText},
    {"guided_choice", kNeedsText},
    {"guided_json_object", kNeedsText},
    {"guided_whitespace_pattern", kNeedsText},
    {"structured_outputs", "use response_format"},
    {"structural_tag", kNeedsText},
    {"regex", kNeedsText},
    {"ebnf", kNeedsText},
    {"stop_regex", kNeedsText},
    {"dry_multiplier", kNeedsText, "0"},
    {"dry_sequence_breakers", kNeedsText},
    {"banned_strings", kNeedsText},
    {"bad_words", "use logit_bias with -100"},
    // Sampling.
    {"mirostat", kSampling, "0"},
    {"typical_p", kSampling, "1"},
    {"typical", kSampling, "1"},
    {"tfs_z", kSampling, "1"},
    {"top_a", kSampling, "0"},
    {"top_n_sigma", kSampling, "[0, -1]"},
    {"xtc_probability", kSampling, "0"},
    {"dynatemp_range", kSampling, "0"},
    {"adaptive_target", kSampling, "-1"},
    {"samplers", kSampling},
    {"min_keep", kSampling, "0"},
    {"repeat_last_n", kSampling, "64"},
    {"min_tokens", kSampling, "0"},
    {"min_new_tokens", kSampling, "0"},
    {"n_indent", kNeedsText, "0"},
    {"t_max_predict_ms", "use max_tokens", "[0, -1]"},
    {"use_beam_search", kSampling},
    {"length_penalty", kSampling, "1"},
    {"early_stopping", kSampling},
    {"allowed_token_ids", "use logit_bias"},
    {"logits_processors", kSampling},
    {"custom_logit_processor", kSampling},
    {"custom_params", kSampling},
    {"vllm_xargs", kSampling},
    {"sampling_params", "name its members in the request itself"},
    {"lora", "the checkpoint is encrypted as a whole"},
    {"lora_path", "the checkpoint is encrypted as a whole"},
    {"best_of", "use n", "1"},
    {"n_cmpl", "use n", "1"},
    {"n_probs", "use logprobs", "0"},
    {"logprob_token_ids", kSampling},
    {"prompt_logprobs", "use logprobs with echo, on /v1/completions", "0"},
    {"post_sampling_probs", kSampling},
    {"truncate_prompt_tokens", "a prompt is never cut"},
    // Thoughts and templates.
    {"thinking_budget_tokens", kBudget, "-1"},
    {"thinking_token_budget", kBudget, "-1"},
    {"thinking_budget", kBudget, "-1"},
    {"reasoning_budget", kBudget, "-1"},
    {"reasoning_budget_tokens", kBudget, "-1"},
    {"reasoning_budget_message", kBudget},
    {"reasoning_control", kBudget},
    {"chat_template", kTemplate},
    {"documents", kTemplate},
    // The form of answers.
    {"include_stop_str_in_output", kForm},
    {"no_stop_trim", kForm},
    {"return_token_ids", kForm},
    {"return_tokens_as_token_ids", kForm},
    {"return_hidden_states", kForm},
    {"response_fields", kForm},
    {"input_ids", "use /v1/completions with token ids as the prompt"},
    {"input_embeds", kOnlyText},
    {"prompt_embeds", kOnlyText},
    {"image_data", kOnlyText},
    {"multimodal_data", kOnlyText},
    {"mm_processor_kwargs", kOnlyText},
    {"audio", kOnlyText},
    {"modalities", kOnlyText, R"([["text"]])"},
    // OpenAI's own.
    {"suffix", "infilling is not supported"},
    {"prediction", "predicted outputs are not supported"},
    {"web_search_options", "there is no web search here", "null", true},
    {"moderation", "there is no moderation here"},
    {"functions", "use tools"},
    {"function_call", "use tool_choice", R"(["auto", "none"])"},
};

// Where false changes the answer and true asks for nothing.
constexpr Refusal kRequired[] = {
    {"skip_special_tokens", kForm, "true"}, {"spaces_between_special_tokens", kForm, "true"},
    {"include_reasoning", kForm, "true"},   {"separate_reasoning", kForm, "true"},
    {"parse_tool_calls", kForm, "true"},
};

constexpr Refusal kRefusedInChats[] = {
    {"echo", "use /v1/completions"},
    {"add_special_tokens", kTemplate},
    {"prompt", "use messages"},
};

constexpr Refusal kRefusedInResponses[] = {
    {"logprobs", "use include: [\"message.output_text.logprobs\"]"},
};

constexpr Refusal kRefusedOfEncoders[] = {
    {"messages", "give texts"},
    // Texts that are too long are refused, so that nobody is answered about half of one.
    {"truncate_prompt_tokens", kWhole},
    {"max_tokens_per_doc", kWhole},
    {"max_chunks_per_doc", kWhole},
    {"truncate", kWhole, R"(["NONE"])"},
    {"rank_fields", kOnlyText, R"([["text"]])"},
    {"late_chunking", "each input has a vector of its own"},
    {"embd_normalize", kUnit, "2"},
    {"embed_dtype", kForm, R"(["float32"])"},
    {"endianness", kForm, R"(["native", "little"])"},
    {"return_embeddings", "vectors come from /v1/embeddings"},
};

// Where false changes the answer.
constexpr Refusal kRequiredOfEncoders[] = {{"normalize", kUnit, "true"}, {"normalized", kUnit, "true"}};

bool AsksForNothing(const Refusal& refusal, const Json& value, bool false_is_nothing) {
  if (value.is_null()) return true;
  if (false_is_nothing && (value == false || value == "" || (value.is_structured() && value.empty()))) {
    return !(refusal.empty_asks && value.is_object());
  }
  const Json nothing = Json::parse(refusal.nothing);
  if (!nothing.is_array()) return value == nothing;
  return std::find(nothing.begin(), nothing.end(), value) != nothing.end();
}

template <size_t N>
Status Refuse(const Refusal (&refusals)[N], const Json& body, bool false_is_nothing) {
  for (const Refusal& refusal : refusals) {
    const auto member = body.find(refusal.name);
    if (member == body.end() || AsksForNothing(refusal, *member, false_is_nothing)) continue;
    return Fail(ErrorCode::kUnsupported, refusal.name, "is not supported on encrypted ids", refusal.why);
  }
  return Ok();
}

}  // namespace

Status RefuseWhatCannotBe(const Json& body, ApiKind kind) {
  if (kind == ApiKind::kEncoder) {
    ISOVEIL_RETURN_IF_ERROR(Refuse(kRefusedOfEncoders, body, true));
    return Refuse(kRequiredOfEncoders, body, false);
  }
  ISOVEIL_RETURN_IF_ERROR(Refuse(kRefused, body, true));
  ISOVEIL_RETURN_IF_ERROR(Refuse(kRequired, body, false));
  if (kind == ApiKind::kChat) ISOVEIL_RETURN_IF_ERROR(Refuse(kRefusedInChats, body, true));
  if (kind == ApiKind::kResponse) ISOVEIL_RETURN_IF_ERROR(Refuse(kRefusedInResponses, body, true));
  return Ok();
}

}  // namespace isoveil
