#include "isoveil/engine/score.h"

#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/server_kind.h"
#include "isoveil/net/http_client.h"

namespace isoveil {
namespace {

auto Unsupported() {
  return Fail(ErrorCode::kUnsupported, "prompt", "this kind of server does not tell its probabilities");
}

}  // namespace

Status ScoreTask::Try(const ServerLine& line, const TaskWatch& watch, std::stop_token cancel) {
  ISOVEIL_RETURN_IF_ERROR(CheckRequest({.prompt = ids_, .sampling = {.n_probs = n_top_}}, line.n_vocab));
  const ScoreDialect* dialect = line.kind.score;
  if (dialect == nullptr) return Unsupported();
  const auto over_line = [&](std::span<const WireId> ids, int32_t n_top,
                             std::stop_token stop) -> Result<std::vector<GeneratedToken>> {
    const HttpCall call = dialect->write(ids, n_top, line.cache_salt);
    ISOVEIL_ASSIGN_OR_RETURN(const std::string body, line.client.Post(call.path, call.body, stop));
    ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json answer, ParseAnswer(body, call.path));
    return dialect->read(answer);
  };
  return TryBy(over_line, watch, std::move(cancel));
}

Status ScoreTask::TryBy(const Call& call, const TaskWatch& watch, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<GeneratedToken> tokens, call(ids_, n_top_, std::move(cancel)));
  const auto is_sent = [](const GeneratedToken& token, WireId id) { return token.id == id; };
  if (!std::equal(tokens.begin(), tokens.end(), ids_.begin(), ids_.end(), is_sent)) {
    return Fail(ErrorCode::kMismatch, "prompt", "the server tells the probabilities of other ids than were sent");
  }
  ISOVEIL_RETURN_IF_ERROR(watch.on_answer(0));
  tokens_ = std::move(tokens);
  return Ok();
}

Result<std::vector<GeneratedToken>> Score(Upstream& server, std::span<const WireId> ids, int32_t n_top,
                                          std::stop_token cancel) {
  ScoreTask task(ids, n_top);
  ISOVEIL_RETURN_IF_ERROR(server.Run(task, std::move(cancel)));
  return task.TakeTokens();
}

Status ProbeScore(Upstream&, const ServerKind& kind, UpstreamInfo* info, const std::stop_token&) {
  return kind.score != nullptr && info->Has(TaskKind::kGenerate) ? Ok() : Status(Unsupported());
}

}  // namespace isoveil
