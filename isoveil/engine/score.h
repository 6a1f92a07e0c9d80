// The task of scoring: how likely each id of a prompt is after those before it.
//
//   ISOVEIL_ASSIGN_OR_RETURN(std::vector<GeneratedToken> tokens, Score(server, encrypted_ids, 5));
#pragma once

#include <span>
#include <vector>

#include "isoveil/engine/generate.h"

namespace isoveil {

// How a kind of server is asked, and answers. `read` gives the ids that the server has read, the first without a
// probability.
struct ScoreDialect {
  HttpCall (*write)(std::span<const WireId> ids, int32_t n_top, std::string_view cache_salt);
  Result<std::vector<GeneratedToken>> (*read)(const nlohmann::ordered_json& answer);
};

class ScoreTask final : public Task {
 public:
  ScoreTask(std::span<const WireId> ids, int32_t n_top) : ids_(ids.begin(), ids.end()), n_top_(n_top) {}

  TaskKind kind() const override { return TaskKind::kScore; }
  size_t n_prompt_tokens() const override { return ids_.size(); }
  Status Try(const ServerLine& line, const TaskWatch& watch, std::stop_token cancel) override;

  // The try, by whatever `call` asks.
  using Call =
      std::function<Result<std::vector<GeneratedToken>>(std::span<const WireId>, int32_t n_top, std::stop_token)>;
  Status TryBy(const Call& call, const TaskWatch& watch, std::stop_token cancel);

  std::vector<GeneratedToken> TakeTokens() { return std::move(tokens_); }

 private:
  const std::vector<WireId> ids_;
  const int32_t n_top_;
  std::vector<GeneratedToken> tokens_;
};

// One entry for each id, the first without a probability, with `n_top` alternatives (one more where the token itself is
// none of them).
Result<std::vector<GeneratedToken>> Score(Upstream& server, std::span<const WireId> ids, int32_t n_top,
                                          std::stop_token cancel = {});

// Of the table of tasks: a server of such a kind that generates scores, too.
Status ProbeScore(Upstream& server, const ServerKind& kind, UpstreamInfo* info, const std::stop_token& cancel);

}  // namespace isoveil
