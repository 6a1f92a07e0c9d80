// What a blind server's encoder makes of texts, in plaintext: pooled vectors, and the numbers of a classifier's labels.
//
//   const EncoderClient encoder(client, server);
//   ISOVEIL_ASSIGN_OR_RETURN(const auto vectors, encoder.Embed({ids}, cancel));     // unit vectors
//   ISOVEIL_ASSIGN_OR_RETURN(const auto numbers, encoder.Label({ids}, cancel));     // one for each label
//   const std::vector<double> scores = Scores(encoder.labels()->function, numbers.front());
//
// A server's pooler takes the first, the last or the mean of a text's vectors, each of which the key has moved in the
// same linear way: what comes back is moved alike. A classifier's numbers come in the key's order; where the head has
// stayed with the client, the server gives the first token's vector instead, and no number of a label exists there.
// Immutable; safe to use from many threads. The client and the server outlive it.
#pragma once

#include <stop_token>
#include <vector>

#include "isoveil/engine/upstream.h"
#include "isoveil/package/client_folder.h"

namespace isoveil {

// One for each input.
using PlainVectors = std::vector<std::vector<double>>;

class EncoderClient {
 public:
  EncoderClient(const ClientFolder& client, Upstream& server) : client_(client), server_(server) {}

  // The port of pooled vectors, and that of labels; null if the model has none.
  const Port* pooled() const { return client_.manifest.ports.FindPort(PortKind::kVectors); }
  const Port* labels() const { return client_.manifest.ports.FindPort(PortKind::kLabels); }
  // The size of a pooled vector, and how many labels there are; of a model that has such a port.
  uint64_t dim() const { return client_.manifest.ports.FindSpace(pooled()->space)->dim; }
  uint64_t n_labels() const { return client_.manifest.ports.FindSpace(labels()->space)->dim; }
  // What a label is called: by its authors, else LABEL_ and its number, as transformers has it.
  std::string LabelName(size_t label) const;

  // Scaled to length 1, as OpenAI's are, whether the server has scaled them or not. kUnsupported without such a port;
  // kFormat for a vector that has no direction. Else the errors of the server.
  Result<PlainVectors> Embed(const std::vector<std::vector<PlainId>>& inputs, std::stop_token cancel) const;
  // As the classifier gives them, in the order of its authors. kUnsupported without such a port.
  Result<PlainVectors> Label(const std::vector<std::vector<PlainId>>& inputs, std::stop_token cancel) const;

  // kUnsupported unless there is one label, whose number says how well two texts belong together.
  Status ExpectReranker() const;
  // A pair as a reranker reads it. kUnsupported if the model tells its two texts apart by types, which no server takes
  // beside ids.
  Result<std::vector<PlainId>> Pair(std::string_view first, std::string_view second, TokenizeOptions options) const;

 private:
  Result<std::vector<std::vector<WireId>>> Encrypt(const std::vector<std::vector<PlainId>>& inputs) const;
  // Vectors of a task, through the codec of a port.
  Result<PlainVectors> Ask(TaskKind task, const Port& port, const std::vector<std::vector<PlainId>>& inputs,
                           std::stop_token cancel) const;

  const ClientFolder& client_;
  Upstream& server_;
};

// What the numbers of labels mean, by the model's authors.
std::vector<double> Scores(LabelFunction function, const std::vector<double>& numbers);

}  // namespace isoveil
