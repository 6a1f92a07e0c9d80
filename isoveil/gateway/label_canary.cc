#include "isoveil/gateway/label_canary.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "isoveil/base/strict_json.h"
#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/vectors.h"
#include "isoveil/gateway/canary_ids.h"

namespace isoveil {
namespace {

using json = nlohmann::ordered_json;

// Short ones too: a trained classifier says much the same of every long text that means nothing.
constexpr uint64_t kPrompts = 16;
constexpr uint64_t kLongest = 24;
// Of how the numbers differ between texts, and of the numbers themselves.
constexpr double kOfSpread = 0.1;
constexpr double kOfSize = 0.02;

Result<Vectors> Ask(const ClientFolder& client, Upstream& server, std::stop_token cancel) {
  VectorRequest request{.inputs = {}, .dim = client.manifest.ports.SpaceOf(PortKind::kLabels)->dim};
  uint64_t first = 0;
  for (uint64_t i = 0; i < kPrompts; ++i) {
    const uint64_t length = 1 + i * (kLongest - 1) / (kPrompts - 1);
    request.inputs.push_back(SpreadIds<WireId>(client.manifest.n_vocab(), length, first));
    first += length;
  }
  return Classify(server, request, std::move(cancel));
}

Result<Vectors> Read(std::string_view text, const std::string& name) {
  const auto refuse = [&] {
    return Fail(ErrorCode::kFormat, name, "is no record of a server's labels",
                "delete it, to trust the server that runs now");
  };
  const auto record = ParseStrictJson(text, name);
  const json* list = record ? FieldOrNull(*record, "labels") : nullptr;
  if (list == nullptr || !list->is_array() || list->size() != kPrompts || IntOrNull(*record, "version") != 2) {
    return refuse();
  }
  Vectors labels;
  for (const json& entry : *list) {
    Result<std::vector<float>> numbers = Floats(entry, "labels");
    if (!numbers || numbers->empty() || numbers->size() != (labels.empty() ? *numbers : labels.front()).size()) {
      return refuse();
    }
    labels.push_back(std::move(*numbers));
  }
  return labels;
}

bool Agree(const Vectors& known, const Vectors& seen) {
  double distance = 0, spread = 0, size = 0;
  for (size_t label = 0; label < known.front().size(); ++label) {
    double mean = 0;
    for (const auto& numbers : known) mean += numbers[label] / static_cast<double>(known.size());
    for (size_t i = 0; i < known.size(); ++i) {
      distance += std::pow(static_cast<double>(known[i][label]) - seen[i][label], 2);
      spread += std::pow(known[i][label] - mean, 2);
      size += std::pow(static_cast<double>(known[i][label]), 2);
    }
  }
  return std::sqrt(distance) < kOfSpread * std::sqrt(spread) + kOfSize * std::sqrt(size);
}

}  // namespace

Result<std::string> AskLabelCanary(const ClientFolder& client, Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const Vectors labels, Ask(client, server, std::move(cancel)));
  return json{{"version", 2}, {"labels", labels}}.dump();
}

Result<CanaryVerdict> CheckLabelCanary(std::string_view record, const std::string& name, const ClientFolder& client,
                                       Upstream& server, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const Vectors known, Read(record, name));
  ISOVEIL_ASSIGN_OR_RETURN(const Vectors seen, Ask(client, server, std::move(cancel)));
  return CanaryVerdict{.agrees = known.front().size() == seen.front().size() && Agree(known, seen)};
}

}  // namespace isoveil
