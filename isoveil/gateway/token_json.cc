#include "isoveil/gateway/token_json.h"

namespace isoveil {
namespace {

std::string_view BytesOf(const Vocabulary& vocabulary, PlainId id) {
  const auto piece = vocabulary.Piece(id, /*special=*/true);
  return piece ? *piece : std::string_view{};
}

Json OneLogprob(const Vocabulary& vocabulary, PlainId id, float logprob) {
  Json bytes = Json::array();
  for (const char c : BytesOf(vocabulary, id)) bytes.push_back(static_cast<uint8_t>(c));
  return {{"token", TokenText(vocabulary, id)}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
}

}  // namespace

std::string TokenText(const Vocabulary& vocabulary, PlainId id) { return RepairUtf8(BytesOf(vocabulary, id)); }

Json LogprobEntry(const Vocabulary& vocabulary, const PlainToken& token, int n_top) {
  // JSON has no infinity; OpenAI writes -9999 for what cannot be.
  Json entry = OneLogprob(vocabulary, token.id, token.logprob.value_or(-9999.0F));
  entry["top_logprobs"] = Json::array();
  for (int i = 0; i < n_top && i < static_cast<int>(token.top.size()); ++i) {
    entry["top_logprobs"].push_back(OneLogprob(vocabulary, token.top[i].id, token.top[i].logprob));
  }
  return entry;
}

Json WirePairs(const Vocabulary& vocabulary, const VocabCipher& cipher, std::span<const PlainId> plain) {
  Json pairs = Json::array();
  for (const PlainId id : plain) {
    const auto wire = cipher.Encrypt(id);
    if (wire) pairs.push_back(Json::array({TokenText(vocabulary, id), *wire}));
  }
  return pairs;
}

Json WirePairs(const Vocabulary& vocabulary, std::span<const PlainToken> tokens) {
  Json pairs = Json::array();
  for (const PlainToken& token : tokens) pairs.push_back(Json::array({TokenText(vocabulary, token.id), token.wire}));
  return pairs;
}

Json UsageJson(const Usage& usage, uint64_t reasoning_tokens) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens.value_or(0)}, {"audio_tokens", 0}}},
          {"completion_tokens_details",
           {{"reasoning_tokens", reasoning_tokens},
            {"audio_tokens", 0},
            {"accepted_prediction_tokens", 0},
            {"rejected_prediction_tokens", 0}}}};
}

}  // namespace isoveil
