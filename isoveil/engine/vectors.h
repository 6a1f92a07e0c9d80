// The tasks that make one vector of each sequence of ids: embedding gives the pooled vector, in the encrypted basis,
// classifying the numbers of a classifier's labels, in encrypted order.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto vectors, Embed(server, {.inputs = {encrypted_ids}, .dim = 768}));
//   ISOVEIL_ASSIGN_OR_RETURN(auto numbers, Classify(server, {.inputs = {encrypted_ids}, .dim = n_labels}));
//
// Pooled vectors come as the model gives them from a llama-server, else as the server's pooler is set up, which may
// scale them to length 1. Labels' numbers come as the classifier gives them, before any softmax.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "isoveil/engine/upstream.h"

namespace isoveil {

struct VectorRequest {
  std::vector<std::vector<WireId>> inputs;  // at least one, and in each at least one id
  uint64_t dim = 0;                         // of the vectors; 0 takes any that is the same for all
};

using Vectors = std::vector<std::vector<float>>;

// How a kind of server is asked, and answers. `read` gives one vector for each input, in their order.
struct VectorDialect {
  HttpCall (*write)(const VectorRequest& request);
  Result<Vectors> (*read)(const nlohmann::ordered_json& answer);
};

class VectorTask final : public Task {
 public:
  // Of kind kEmbed or kClassify.
  VectorTask(TaskKind kind, VectorRequest request) : kind_(kind), request_(std::move(request)) {}

  TaskKind kind() const override { return kind_; }
  size_t n_prompt_tokens() const override;
  Status Try(const ServerLine& line, const TaskWatch& watch, std::stop_token cancel) override;

  // The try, by whatever `call` asks.
  using Call = std::function<Result<Vectors>(const VectorRequest&, std::stop_token)>;
  Status TryBy(const Call& call, const TaskWatch& watch, std::stop_token cancel);

  Vectors TakeVectors() { return std::move(vectors_); }

 private:
  const TaskKind kind_;
  const VectorRequest request_;
  Vectors vectors_;
};

// One vector for each input. kFormat, naming what was expected and found, for another number or size of vectors.
Result<Vectors> Embed(Upstream& server, const VectorRequest& request, std::stop_token cancel = {});
Result<Vectors> Classify(Upstream& server, const VectorRequest& request, std::stop_token cancel = {});

// Of the table of tasks: embed and classify one id.
Status ProbeEmbed(Upstream& server, const ServerKind& kind, UpstreamInfo* info, const std::stop_token& cancel);
Status ProbeClassify(Upstream& server, const ServerKind& kind, UpstreamInfo* info, const std::stop_token& cancel);

}  // namespace isoveil
