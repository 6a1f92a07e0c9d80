#include "isoveil/gateway/canary.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "isoveil/engine/json_fields.h"
#include "isoveil/format/strict_json.h"

namespace isoveil {
namespace {

constexpr size_t kPromptIds = 24;
constexpr int32_t kNextIds = 6;
constexpr int32_t kAlternatives = 5;
constexpr float kTolerance = 0.35F;  // of a logarithm; rounding of 8-bit hardware stays below

// Spread over the vocabulary; the same for everybody.
std::vector<TokenId> PromptIds(const ClientFolder& client) {
  const uint64_t n = client.vocabulary.n_tokens();
  std::vector<TokenId> ids;
  if (const auto bos = client.vocabulary.special_ids().bos) ids.push_back(*bos);
  for (uint64_t i = 0; ids.size() < kPromptIds; ++i) {
    ids.push_back(static_cast<TokenId>((i * 2654435761U + 97 * i * i + 11) % n));
  }
  return ids;
}

nlohmann::ordered_json ToJson(const Canary& canary) {
  nlohmann::ordered_json first = nlohmann::ordered_json::array();
  for (const TokenLogprob& token : canary.first) first.push_back({token.id, token.logprob});
  return {{"version", 1}, {"next", canary.next}, {"first", first}};
}

Result<Canary> FromJson(const nlohmann::json& json) {
  Canary canary;
  ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::json* next, ArrayField(json, "next"));
  ISOVEIL_ASSIGN_OR_RETURN(canary.next, ReadTokenIds(*next, "next"));
  if (canary.next.empty()) return BadField("next", "at least one token id");
  ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::json* first, ArrayField(json, "first"));
  for (const nlohmann::json& pair : *first) {
    if (!pair.is_array() || pair.size() != 2) return BadField("first", "pairs of a token id and a number");
    ISOVEIL_ASSIGN_OR_RETURN(const TokenId id, ReadTokenId(pair[0], "first"));
    ISOVEIL_ASSIGN_OR_RETURN(const float logprob, ReadFloat(pair[1], "first"));
    canary.first.push_back({id, logprob});
  }
  return canary;
}

Result<Canary> Read(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  ISOVEIL_ASSIGN_OR_RETURN(const auto json, ParseStrictJson(text, path.string()));
  if (Result<Canary> canary = FromJson(json)) return canary;
  return Fail(ErrorCode::kFormat, path.string(), "is no record of a server's answer",
              "delete it, to trust the server that runs now");
}

bool Agree(const Canary& known, const Canary& seen) {
  if (seen.next.empty()) return false;
  if (known.first.empty() || seen.first.empty()) return known.next.front() == seen.next.front();
  for (const TokenLogprob& token : known.first) {
    if (token.id == seen.first.front().id) {
      return std::abs(token.logprob - seen.first.front().logprob) < kTolerance;
    }
  }
  return false;
}

}  // namespace

Result<Canary> AskCanary(const ClientFolder& client, Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const UpstreamInfo info, server.Probe(cancel));
  if (info.n_vocab && static_cast<uint64_t>(*info.n_vocab) != client.manifest.n_vocab) {
    return Fail(ErrorCode::kMismatch, "upstream",
                fmt::format("runs a model of {} tokens, the client folder belongs to one of {}", *info.n_vocab,
                            client.manifest.n_vocab),
                "start the server on the server folder that was made with this client folder");
  }
  GenerateRequest request;
  request.sampling = {.max_tokens = kNextIds, .temperature = 0, .ignore_eos = true, .n_probs = kAlternatives};
  ISOVEIL_ASSIGN_OR_RETURN(request.prompt, client.cipher.Encrypt(PromptIds(client)));
  std::vector<GeneratedToken> tokens;
  const auto keep = [&](const GeneratedToken& token) { return tokens.push_back(token), true; };
  ISOVEIL_ASSIGN_OR_RETURN(const GenerateResult result, server.Generate(request, keep, cancel));
  if (result.finish == FinishReason::kCancelled) return Fail(ErrorCode::kCancelled, "canary", "was stopped");
  Canary canary;
  for (const GeneratedToken& token : tokens) {
    ISOVEIL_ASSIGN_OR_RETURN(const TokenId id, client.cipher.Decrypt(token.id));
    canary.next.push_back(id);
  }
  if (tokens.empty()) return Fail(ErrorCode::kFormat, "upstream", "answered a prompt with no token");
  for (const TokenLogprob& token : tokens.front().top) {
    ISOVEIL_ASSIGN_OR_RETURN(const TokenId id, client.cipher.Decrypt(token.id));
    canary.first.push_back({id, token.logprob});
  }
  return canary;
}

Result<CanaryResult> CheckCanary(const Path& client_folder, const Canary& seen) {
  const Path path = client_folder / kCanaryFile;
  if (!FileExists(path)) {
    return WriteNewFile(path, ToJson(seen).dump() + "\n", 0600) ? CanaryResult::kRecorded : CanaryResult::kNotRecorded;
  }
  ISOVEIL_ASSIGN_OR_RETURN(const Canary known, Read(path));
  if (Agree(known, seen)) return CanaryResult::kMatches;
  return Fail(ErrorCode::kMismatch, "upstream", "answers differently from the model that this client folder belongs to",
              "start the server on the server folder that was made with it; if the model was changed on purpose, delete " +
                  path.string());
}

}  // namespace isoveil
