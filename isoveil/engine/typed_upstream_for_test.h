// An upstream that a test scripts, one function for each task.
#pragma once

#include "isoveil/engine/generate.h"
#include "isoveil/engine/score.h"
#include "isoveil/engine/vectors.h"

namespace isoveil {

class TypedUpstream : public Upstream {
 public:
  virtual Result<GenerateResult> Generate(const GenerateRequest&, const TokenCallback&, std::stop_token) {
    return Fail(ErrorCode::kUnsupported, "upstream", "generates nothing");
  }
  virtual Result<std::vector<GeneratedToken>> Score(std::span<const WireId>, int32_t, std::stop_token) {
    return Fail(ErrorCode::kUnsupported, "upstream", "scores nothing");
  }
  virtual Result<Vectors> Embed(const VectorRequest&, std::stop_token) {
    return Fail(ErrorCode::kUnsupported, "upstream", "has no embeddings");
  }

  virtual Result<Vectors> Classify(const VectorRequest&, std::stop_token) {
    return Fail(ErrorCode::kUnsupported, "upstream", "has no labels");
  }

  Status Run(Task& task, std::stop_token cancel = {}, const TaskWatch& watch = {}) final {
    if (auto* generate = dynamic_cast<GenerateTask*>(&task)) {
      return generate->TryBy(
          [this](const auto& request, const auto& on_token, auto stop) { return Generate(request, on_token, stop); },
          watch, cancel);
    }
    if (auto* score = dynamic_cast<ScoreTask*>(&task)) {
      return score->TryBy([this](auto ids, int32_t n_top, auto stop) { return Score(ids, n_top, stop); }, watch,
                          cancel);
    }
    if (auto* vectors = dynamic_cast<VectorTask*>(&task)) {
      const bool embeds = task.kind() == TaskKind::kEmbed;
      return vectors->TryBy(
          [&](const auto& request, auto stop) { return embeds ? Embed(request, stop) : Classify(request, stop); },
          watch, cancel);
    }
    return Fail(ErrorCode::kUnsupported, "upstream", "is scripted for other tasks");
  }
};

}  // namespace isoveil
