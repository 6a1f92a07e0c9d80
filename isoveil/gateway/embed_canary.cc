#include "isoveil/gateway/embed_canary.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "isoveil/base/strict_json.h"
#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/vectors.h"
#include "isoveil/gateway/canary_ids.h"

namespace isoveil {
namespace {

using json = nlohmann::ordered_json;

constexpr uint64_t kPromptIds = 24;
// Between vectors of length 1. Measured on the encoder of the tests: bfloat16 moves them by 0.014 at most, another key
// or the plaintext by 1.1 at least, another pooling by 0.5.
constexpr double kTolerance = 0.1;

// kFormat for a vector that has no direction.
Status Normalise(std::vector<float>& vector, const std::string& where) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * x;
  if (!(sum > 0)) return Fail(ErrorCode::kFormat, where, "expected a vector that is not zero");
  for (float& x : vector) x = static_cast<float>(x / std::sqrt(sum));
  return Ok();
}

Result<std::vector<float>> Ask(const ClientFolder& client, Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(Vectors vectors, Embed(server,
                                                  {.inputs = {SpreadIds<WireId>(client.manifest.n_vocab(), kPromptIds)},
                                                   .dim = client.manifest.ports.SpaceOf(PortKind::kVectors)->dim},
                                                  std::move(cancel)));
  ISOVEIL_RETURN_IF_ERROR(Normalise(vectors.front(), "upstream"));
  return std::move(vectors.front());
}

Result<std::vector<float>> Read(std::string_view text, const std::string& name) {
  const auto refuse = [&] {
    return Fail(ErrorCode::kFormat, name, "is no record of a server's vector",
                "delete it, to trust the server that runs now");
  };
  const auto record = ParseStrictJson(text, name);
  const json* list = record ? FieldOrNull(*record, "vector") : nullptr;
  if (list == nullptr || IntOrNull(*record, "version") != 2) return refuse();
  Result<std::vector<float>> vector = Floats(*list, "vector");
  if (!vector || !Normalise(*vector, name)) return refuse();
  return vector;
}

}  // namespace

Result<std::string> AskEmbedCanary(const ClientFolder& client, Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> vector, Ask(client, server, std::move(cancel)));
  return json{{"version", 2}, {"vector", vector}}.dump();
}

Result<CanaryVerdict> CheckEmbedCanary(std::string_view record, const std::string& name, const ClientFolder& client,
                                       Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> known, Read(record, name));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> seen, Ask(client, server, std::move(cancel)));
  if (known.size() != seen.size()) return CanaryVerdict{};
  double sum = 0;
  for (size_t i = 0; i < known.size(); ++i) sum += std::pow(static_cast<double>(known[i]) - seen[i], 2);
  return CanaryVerdict{.agrees = std::sqrt(sum) < kTolerance};
}

}  // namespace isoveil
