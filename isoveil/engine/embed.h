// The task of embedding: sequences of ids in, the pooled vector of each out, in the encrypted basis.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto vectors, Embed(server, {.inputs = {encrypted_ids}, .dim = 768}));
//
// Vectors come as the model gives them from a llama-server, else as the server's pooler is set up, which may scale them
// to length 1.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "isoveil/engine/upstream.h"

namespace isoveil {

struct EmbedRequest {
  std::vector<std::vector<WireId>> inputs;  // at least one, and in each at least one id
  uint64_t dim = 0;                         // of the vectors; 0 takes any that is the same for all
};

using EmbedVectors = std::vector<std::vector<float>>;

// How a kind of server is asked, and answers. `read` gives one vector for each input, in their order.
struct EmbedDialect {
  HttpCall (*write)(const EmbedRequest& request);
  Result<EmbedVectors> (*read)(const nlohmann::ordered_json& answer);
};

class EmbedTask final : public Task {
 public:
  explicit EmbedTask(EmbedRequest request) : request_(std::move(request)) {}

  TaskKind kind() const override { return TaskKind::kEmbed; }
  size_t n_prompt_tokens() const override;
  Status Try(const ServerLine& line, const TaskWatch& watch, std::stop_token cancel) override;

  // The try, by whatever `call` asks.
  using Call = std::function<Result<EmbedVectors>(const EmbedRequest&, std::stop_token)>;
  Status TryBy(const Call& call, const TaskWatch& watch, std::stop_token cancel);

  EmbedVectors TakeVectors() { return std::move(vectors_); }

 private:
  const EmbedRequest request_;
  EmbedVectors vectors_;
};

// One vector for each input. kFormat, naming what was expected and found, for another number or size of vectors.
Result<EmbedVectors> Embed(Upstream& server, const EmbedRequest& request, std::stop_token cancel = {});

// Of the table of tasks: embeds one id.
Status ProbeEmbed(Upstream& server, const ServerKind& kind, UpstreamInfo* info, const std::stop_token& cancel);

}  // namespace isoveil
