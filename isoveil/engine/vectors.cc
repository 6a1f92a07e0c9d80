#include "isoveil/engine/vectors.h"

#include "isoveil/engine/json_fields.h"
#include "isoveil/engine/server_kind.h"
#include "isoveil/net/http_client.h"

namespace isoveil {
namespace {

// Wider than any network's.
constexpr size_t kMaxDim = 1 << 17;

Status CheckInputs(const VectorRequest& request, int64_t n_vocab) {
  if (request.inputs.empty()) return Fail(ErrorCode::kInvalidArgument, "input", "expected at least one sequence");
  for (const auto& ids : request.inputs) ISOVEIL_RETURN_IF_ERROR(CheckPrompt(ids, n_vocab));
  return Ok();
}

Status CheckVectors(const VectorRequest& request, const Vectors& vectors) {
  if (vectors.size() != request.inputs.size()) {
    return BadField("embedding", fmt::format("{} vectors, found {}", request.inputs.size(), vectors.size()));
  }
  const size_t dim = request.dim != 0 ? request.dim : vectors.front().size();
  if (dim == 0 || dim > kMaxDim) return BadField("embedding", fmt::format("1 to {} numbers, found {}", kMaxDim, dim));
  for (const auto& vector : vectors) {
    if (vector.size() != dim) return BadField("embedding", fmt::format("{} numbers, found {}", dim, vector.size()));
  }
  return Ok();
}

}  // namespace

size_t VectorTask::n_prompt_tokens() const {
  size_t n = 0;
  for (const auto& ids : request_.inputs) n += ids.size();
  return n;
}

Status VectorTask::Try(const ServerLine& line, const TaskWatch& watch, std::stop_token cancel) {
  ISOVEIL_RETURN_IF_ERROR(CheckInputs(request_, line.n_vocab));
  const VectorDialect* dialect = kind_ == TaskKind::kEmbed ? line.kind.embed : line.kind.classify;
  if (dialect == nullptr) {
    return Fail(ErrorCode::kUnsupported, "input",
                fmt::format("a {} gives no {}", line.kind.name, kind_ == TaskKind::kEmbed ? "embeddings" : "labels"));
  }
  const auto over_line = [&](const VectorRequest& request, std::stop_token stop) -> Result<Vectors> {
    const HttpCall call = dialect->write(request);
    ISOVEIL_ASSIGN_OR_RETURN(const std::string body, line.client.Post(call.path, call.body, stop));
    ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json answer, ParseAnswer(body, call.path));
    return dialect->read(answer);
  };
  return TryBy(over_line, watch, std::move(cancel));
}

Status VectorTask::TryBy(const Call& call, const TaskWatch& watch, std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(Vectors vectors, call(request_, std::move(cancel)));
  ISOVEIL_RETURN_IF_ERROR(CheckVectors(request_, vectors));
  ISOVEIL_RETURN_IF_ERROR(watch.on_answer(0));
  vectors_ = std::move(vectors);
  return Ok();
}

namespace {

Result<Vectors> Run(TaskKind kind, Upstream& server, const VectorRequest& request, std::stop_token cancel) {
  VectorTask task(kind, request);
  ISOVEIL_RETURN_IF_ERROR(server.Run(task, std::move(cancel)));
  return task.TakeVectors();
}

}  // namespace

Result<Vectors> Embed(Upstream& server, const VectorRequest& request, std::stop_token cancel) {
  return Run(TaskKind::kEmbed, server, request, std::move(cancel));
}

Result<Vectors> Classify(Upstream& server, const VectorRequest& request, std::stop_token cancel) {
  return Run(TaskKind::kClassify, server, request, std::move(cancel));
}

Status ProbeEmbed(Upstream& server, const ServerKind&, UpstreamInfo*, const std::stop_token& cancel) {
  ISOVEIL_RETURN_IF_ERROR(Embed(server, {.inputs = {{WireId{0}}}}, cancel));
  return Ok();
}

Status ProbeClassify(Upstream& server, const ServerKind&, UpstreamInfo*, const std::stop_token& cancel) {
  ISOVEIL_RETURN_IF_ERROR(Classify(server, {.inputs = {{WireId{0}}}}, cancel));
  return Ok();
}

}  // namespace isoveil
