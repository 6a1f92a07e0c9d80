#include "isoveil/gateway/generate_canary.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "isoveil/base/strict_json.h"
#include "isoveil/engine/json_fields.h"
#include "isoveil/gateway/canary_ids.h"

namespace isoveil {
namespace {

constexpr uint64_t kPromptIds = 24;
constexpr int32_t kSteps = 12;
constexpr int32_t kAlternatives = 5;
// Of logarithms: rounding of 8-bit hardware stays below, for one token and on the average.
constexpr float kTolerance = 0.35F;
constexpr float kMeanTolerance = 0.15F;

Result<std::vector<WireId>> PromptOf(const ClientFolder& client, int version) {
  const uint64_t n = client.vocabulary.n_tokens();
  if (version != 1) return SpreadIds<WireId>(n, kPromptIds);
  std::vector<PlainId> plain;
  if (const auto bos = client.vocabulary.special_ids().bos) plain.push_back(*bos);
  for (const PlainId id : SpreadIds<PlainId>(n, kPromptIds - plain.size())) plain.push_back(id);
  return client.cipher.Encrypt(plain);
}

nlohmann::ordered_json ToJson(const Canary& canary) {
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (const CanaryStep& step : canary.steps) {
    nlohmann::ordered_json top = nlohmann::ordered_json::array();
    for (const TokenLogprob& token : step.top) top.push_back({token.id, token.logprob});
    steps.push_back({step.id, std::move(top)});
  }
  return {{"version", 2}, {"steps", std::move(steps)}};
}

Result<std::vector<TokenLogprob>> ReadTop(const nlohmann::ordered_json& list, const char* name) {
  std::vector<TokenLogprob> top;
  if (!list.is_array()) return BadField(name, "a list");
  for (const nlohmann::ordered_json& pair : list) {
    if (!pair.is_array() || pair.size() != 2) return BadField(name, "pairs of a token id and a number");
    ISOVEIL_ASSIGN_OR_RETURN(const WireId id, ReadWireId(pair[0], name));
    ISOVEIL_ASSIGN_OR_RETURN(const float logprob, ReadFloat(pair[1], name));
    top.push_back({id, logprob});
  }
  return top;
}

// Version 1: the ids of the answer, and the alternatives of the first, all of them plain.
Result<Canary> FromOldJson(const nlohmann::ordered_json& json, const VocabCipher& cipher) {
  Canary canary{.version = 1, .steps = {}};
  ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json* next, ArrayField(json, "next"));
  ISOVEIL_ASSIGN_OR_RETURN(const auto numbers, ReadWireIds(*next, "next"));
  ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json* first, ArrayField(json, "first"));
  ISOVEIL_ASSIGN_OR_RETURN(auto top, ReadTop(*first, "first"));
  const auto encrypt = [&](WireId number) { return cipher.Encrypt(PlainId{Value(number)}); };
  for (TokenLogprob& token : top) {
    ISOVEIL_ASSIGN_OR_RETURN(token.id, encrypt(token.id));
  }
  for (const WireId number : numbers) {
    ISOVEIL_ASSIGN_OR_RETURN(const WireId id, encrypt(number));
    canary.steps.push_back({id, std::exchange(top, {})});
  }
  return canary;
}

// The first records have no version.
Result<int64_t> VersionOf(const nlohmann::ordered_json& json, const std::string& name) {
  const nlohmann::ordered_json* version = FieldOrNull(json, "version");
  if (version == nullptr) return 1;
  for (const int64_t known : {1, 2}) {
    if (version->is_number_integer() && *version == known) return known;
  }
  return Fail(ErrorCode::kUnsupported, name, fmt::format("expected version 1 or 2, found {}", Quoted(version->dump())),
              "use the version of isoveil that wrote it, or delete it, to trust the server that runs now");
}

Result<Canary> FromJson(const nlohmann::ordered_json& json) {
  Canary canary;
  ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json* steps, ArrayField(json, "steps"));
  for (const nlohmann::ordered_json& pair : *steps) {
    if (!pair.is_array() || pair.size() != 2) return BadField("steps", "pairs of a token id and a list");
    ISOVEIL_ASSIGN_OR_RETURN(const WireId id, ReadWireId(pair[0], "steps"));
    ISOVEIL_ASSIGN_OR_RETURN(auto top, ReadTop(pair[1], "steps"));
    canary.steps.push_back({id, std::move(top)});
  }
  return canary;
}

// How far the best token of one answer is from the same token of the other; nothing if that does not have it.
std::optional<float> Distance(const CanaryStep& known, const CanaryStep& seen) {
  for (const TokenLogprob& token : known.top) {
    if (token.id == seen.top.front().id) return std::abs(token.logprob - seen.top.front().logprob);
  }
  return std::nullopt;
}

bool WereAboutAsLikely(const CanaryStep& known, WireId other) {
  for (const TokenLogprob& token : known.top) {
    if (token.id == other) return known.top.front().logprob - token.logprob < kTolerance;
  }
  return false;
}

bool Agree(const Canary& known, const Canary& seen) {
  const size_t n = std::min(known.steps.size(), seen.steps.size());
  if (n == 0) return false;
  float sum = 0;
  size_t compared = 0;
  for (size_t i = 0; i < n; ++i) {
    const CanaryStep& a = known.steps[i];
    const CanaryStep& b = seen.steps[i];
    const bool parts = a.id != b.id;
    // Without probabilities nobody can tell whether two tokens were about as likely, but for the first.
    if (a.top.empty() || b.top.empty()) {
      if (parts) return i > 0;
      continue;
    }
    const auto distance = Distance(a, b);
    if (!distance || *distance >= kTolerance || (parts && !WereAboutAsLikely(a, b.id))) return false;
    sum += *distance;
    ++compared;
    if (parts) break;
  }
  return compared == 0 || sum <= kMeanTolerance * static_cast<float>(compared);
}

Result<Canary> Ask(const ClientFolder& client, Upstream& server, int version, std::stop_token cancel) {
  GenerateRequest request;
  request.sampling = {.max_tokens = kSteps, .temperature = 0, .ignore_eos = true, .n_probs = kAlternatives};
  ISOVEIL_ASSIGN_OR_RETURN(request.prompt, PromptOf(client, version));
  Canary canary{.version = version, .steps = {}};
  const auto keep = [&](const GeneratedToken& token) { return canary.steps.push_back({token.id, token.top}), true; };
  ISOVEIL_ASSIGN_OR_RETURN(const GenerateResult result, Generate(server, request, keep, cancel));
  if (result.finish == FinishReason::kCancelled) return Fail(ErrorCode::kCancelled, "canary", "was stopped");
  if (canary.steps.empty()) return Fail(ErrorCode::kFormat, "upstream", "answered a prompt with no token");
  return canary;
}

// Version 2 asks what is the same for every key.
std::string TextOf(const Canary& canary) { return ToJson(canary).dump(); }

}  // namespace

Result<Canary> ParseCanary(std::string_view text, const std::string& name, const VocabCipher& cipher) {
  ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json json, ParseStrictJson(text, name));
  ISOVEIL_ASSIGN_OR_RETURN(const int64_t version, VersionOf(json, name));
  Result<Canary> canary = version == 1 ? FromOldJson(json, cipher) : FromJson(json);
  if (canary && !canary->steps.empty()) return canary;
  return Fail(ErrorCode::kFormat, name, "is no record of a server's answer",
              "delete it, to trust the server that runs now");
}

Result<std::string> AskGenerateCanary(const ClientFolder& client, Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const Canary seen, Ask(client, server, 2, std::move(cancel)));
  return TextOf(seen);
}

Result<CanaryVerdict> CheckGenerateCanary(std::string_view record, const std::string& name, const ClientFolder& client,
                                          Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const Canary known, ParseCanary(record, name, client.cipher));
  ISOVEIL_ASSIGN_OR_RETURN(const Canary seen, Ask(client, server, known.version, cancel));
  CanaryVerdict verdict{.agrees = Agree(known, seen)};
  if (verdict.agrees && known.version == 1) {
    ISOVEIL_ASSIGN_OR_RETURN(verdict.replacement, AskGenerateCanary(client, server, cancel));
  }
  return verdict;
}

}  // namespace isoveil
