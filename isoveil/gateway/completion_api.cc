// POST /v1/completions
#include <algorithm>
#include <ctime>
#include <mutex>

#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/choices.h"
#include "isoveil/gateway/generator.h"
#include "isoveil/gateway/json_frame.h"
#include "isoveil/gateway/message_builder.h"
#include "isoveil/gateway/token_json.h"

namespace isoveil {
namespace {

constexpr size_t kMaxPrompts = 64;

struct Completion {
  const ModelService& service;
  const ApiRequest& request;
  std::vector<std::vector<PlainId>> prompts;
  GenerationOptions options;
  bool echo = false;
  std::string id = RandomId("cmpl-");
  int64_t created = std::time(nullptr);

  Json Head() const {
    return {{"id", id}, {"object", "text_completion"}, {"created", created}, {"model", service.name}};
  }
  int n_choices() const { return static_cast<int>(prompts.size()) * options.n; }
};

struct Text {
  std::string text;
  std::string finish_reason;
  Usage usage;
  std::vector<PlainToken> tokens;
};

bool IsIds(const Json& value) { return value.is_array() && !value.empty() && value.front().is_number(); }

Result<std::vector<PlainId>> ReadPrompt(const ModelService& service, const Json& prompt) {
  if (prompt.is_string()) {
    ISOVEIL_ASSIGN_OR_RETURN(
        auto ids, service.client.vocabulary.Tokenize(prompt.get_ref<const std::string&>(),
                                                     {.add_special = true, .parse_special = service.parse_special}));
    if (ids.empty()) return BadMember("prompt", "at least one token of text");
    return ids;
  }
  return ReadPlainIds(service, "prompt", prompt);
}

// A text, ids, a list of texts, or a list of lists of ids.
Result<std::vector<std::vector<PlainId>>> ReadPrompts(const ModelService& service, const Json& prompt) {
  Json list = Json::array({prompt});
  if (prompt.is_array() && !prompt.empty() && !IsIds(prompt)) list = prompt;
  if (list.size() > kMaxPrompts) return BadMember("prompt", fmt::format("at most {} prompts", kMaxPrompts));
  std::vector<std::vector<PlainId>> prompts;
  for (const Json& entry : list) {
    if (!entry.is_string() && !IsIds(entry)) return BadMember("prompt", "a string, token ids, or a list of those");
    ISOVEIL_ASSIGN_OR_RETURN(auto ids, ReadPrompt(service, entry));
    prompts.push_back(std::move(ids));
  }
  return prompts;
}

Result<Completion> ReadCompletion(const ModelService& service, const ApiRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  Completion completion{service, request};
  ISOVEIL_ASSIGN_OR_RETURN(completion.options, ReadOptions(body, ApiKind::kCompletion, service.limits));
  ISOVEIL_ASSIGN_OR_RETURN(completion.prompts, ReadPrompts(service, Member(body, "prompt")));
  ISOVEIL_ASSIGN_OR_RETURN(const auto echo, ReadBool(body, "echo"));
  completion.echo = echo.value_or(false);
  // OpenAI's default for this endpoint.
  if (!completion.options.has_max_tokens) completion.options.sampling.max_tokens = 16;
  completion.options.has_max_tokens = true;
  for (const auto& prompt : completion.prompts) {
    GenerationOptions fitted = completion.options;
    ISOVEIL_RETURN_IF_ERROR(FitContext(service, "prompt", prompt.size(), fitted));
    completion.options.sampling.max_tokens =
        std::min(completion.options.sampling.max_tokens, fitted.sampling.max_tokens);
  }
  return completion;
}

Result<std::vector<PlainToken>> Score(const Generator& generator, const std::vector<PlainId>& prompt,
                                      const Completion& completion) {
  auto tokens = generator.Score(prompt, completion.options.sampling.n_probs, completion.request.cancel);
  if (tokens || tokens.error().code != ErrorCode::kUnsupported) return tokens;
  return Fail(ErrorCode::kUnsupported, "echo", "the server does not tell the log probabilities of a prompt",
              "leave logprobs out, or serve the encrypted folder with vLLM");
}

Result<Text> RunChoice(const Completion& completion, int index, const PieceCallback& on_piece) {
  Text text;
  const auto& prompt = completion.prompts[static_cast<size_t>(index / completion.options.n)];
  const GenerationOptions& options = completion.options;
  Generation generation{prompt, options.sampling, options.logit_bias, options.stop_ids, options.stops};
  if (generation.sampling.seed) *generation.sampling.seed += static_cast<uint32_t>(index % completion.options.n);
  const Generator generator(completion.service.client, *completion.service.upstream);
  if (completion.echo) {
    ISOVEIL_ASSIGN_OR_RETURN(text.text, completion.service.client.vocabulary.Detokenize(prompt));
    if (completion.options.logprobs) {
      ISOVEIL_ASSIGN_OR_RETURN(text.tokens, Score(generator, prompt, completion));
    }
    if (!on_piece({text.text, text.tokens})) return Fail(ErrorCode::kCancelled, "completion", "was cancelled");
  }
  if (generation.sampling.max_tokens == 0) {
    text.finish_reason = FinishReasonName(FinishReason::kLength);
    text.usage.prompt_tokens = prompt.size();
    return text;
  }
  const auto collect = [&](const Piece& piece) {
    text.text += piece.text;
    text.tokens.insert(text.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    return on_piece(piece);
  };
  ISOVEIL_ASSIGN_OR_RETURN(const Outcome outcome, generator.Run(generation, collect, completion.request.cancel));
  if (outcome.finish == FinishReason::kCancelled) return Fail(ErrorCode::kCancelled, "completion", "was cancelled");
  text.finish_reason = FinishReasonName(outcome.finish);
  text.usage = outcome.usage;
  return text;
}

// In UTF-8; offsets of the API count characters.
bool BeginsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

Json Logprobs(const Completion& completion, std::span<const PlainToken> tokens, size_t& offset) {
  if (!completion.options.logprobs) return nullptr;
  Json out = {{"tokens", Json::array()},
              {"token_logprobs", Json::array()},
              {"top_logprobs", Json::array()},
              {"text_offset", Json::array()}};
  for (const PlainToken& token : tokens) {
    const Vocabulary& vocabulary = completion.service.client.vocabulary;
    Json top = Json::object();
    for (const PlainLogprob& other : token.top) top[TokenText(vocabulary, other.id)] = other.logprob;
    out["tokens"].push_back(TokenText(vocabulary, token.id));
    // The first token of a prompt follows nothing.
    out["token_logprobs"].push_back(token.logprob ? Json(*token.logprob) : Json());
    out["top_logprobs"].push_back(token.logprob ? std::move(top) : Json());
    out["text_offset"].push_back(offset);
    // Control tokens have a name and no text.
    const auto characters = vocabulary.Piece(token.id);
    if (characters)
      offset += static_cast<size_t>(std::count_if(characters->begin(), characters->end(), BeginsCharacter));
  }
  return out;
}

template <typename T>
const Error* FirstError(const std::vector<Result<T>>& results) {
  for (const auto& result : results) {
    if (!result) return &result.error();
  }
  return nullptr;
}

// Every prompt is counted once, every answer too.
Usage Total(const Completion& completion, const std::vector<Result<Text>>& texts) {
  Usage total;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i % static_cast<size_t>(completion.options.n) == 0) total.prompt_tokens += texts[i]->usage.prompt_tokens;
    total.completion_tokens += texts[i]->usage.completion_tokens;
  }
  return total;
}

void AnswerAtOnce(const Completion& completion, ReplyWriter& reply) {
  const auto texts = RunChoices<Text>(completion.n_choices(), [&](int index) {
    return RunChoice(completion, index, [](const Piece&) { return true; });
  });
  if (const Error* error = FirstError(texts)) return reply.Fail(ToApiError(*error));
  Json body = completion.Head();
  body["choices"] = Json::array();
  for (size_t i = 0; i < texts.size(); ++i) {
    size_t offset = 0;
    body["choices"].push_back({{"index", i},
                               {"text", texts[i]->text},
                               {"logprobs", Logprobs(completion, texts[i]->tokens, offset)},
                               {"finish_reason", texts[i]->finish_reason}});
  }
  body["usage"] = UsageJson(Total(completion, texts));
  reply.SendJson(body);
}

void AnswerInChunks(const Completion& completion, ReplyWriter& reply) {
  std::mutex mutex;
  const auto chunk = [&](int index, const std::string& text, Json logprobs, Json finish_reason) {
    Json body = completion.Head();
    body["choices"] = Json::array({{{"index", index},
                                    {"text", text},
                                    {"logprobs", std::move(logprobs)},
                                    {"finish_reason", std::move(finish_reason)}}});
    if (completion.options.include_usage) body["usage"] = nullptr;
    return body;
  };
  const auto send = [&](const std::string& data) {
    const std::lock_guard lock(mutex);
    return reply.Event("", data);
  };
  const auto texts = RunChoices<Text>(completion.n_choices(), [&](int index) -> Result<Text> {
    size_t offset = 0;
    const JsonFrame frame(chunk(index, JsonFrame::kHole, JsonFrame::kHole, nullptr));
    const auto on_piece = [&](const Piece& piece) {
      if (piece.text.empty() && !completion.options.logprobs) return !completion.request.cancel.stop_requested();
      return send(frame.Fill({JsonText(piece.text), Logprobs(completion, piece.tokens, offset).dump()}));
    };
    ISOVEIL_ASSIGN_OR_RETURN(Text text, RunChoice(completion, index, on_piece));
    send(chunk(index, "", nullptr, text.finish_reason).dump());
    return text;
  });
  if (const Error* error = FirstError(texts)) return reply.Fail(ToApiError(*error));
  if (completion.options.include_usage) {
    Json body = completion.Head();
    body["choices"] = Json::array();
    body["usage"] = UsageJson(Total(completion, texts));
    reply.JsonEvent(body);
  }
  reply.Event("", "[DONE]");
}

}  // namespace

void Completions(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  const auto completion = ReadCompletion(service, request);
  if (!completion) return reply.Fail(ToApiError(completion.error()));
  if (completion->options.stream) {
    AnswerInChunks(*completion, reply);
  } else {
    AnswerAtOnce(*completion, reply);
  }
}

}  // namespace isoveil
