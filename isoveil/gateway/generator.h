// One answer: plain ids in, text out, with only encrypted ids in between.
//
//   Generator generator(client, upstream);
//   ISOVEIL_ASSIGN_OR_RETURN(Outcome outcome, generator.Run({.prompt = ids, .stops = {"\n"}},
//                                                           [&](const Piece& piece) { return Send(piece.text); }));
//
// Encrypts the prompt, the biased ids and the end ids; decrypts what comes back, turns it to text that never splits
// a character, and looks for stop strings in it. Safe to use from many threads.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "isoveil/engine/score.h"
#include "isoveil/package/client_folder.h"

namespace isoveil {

struct Generation {
  std::vector<PlainId> prompt;
  SamplingParams sampling;
  std::vector<std::pair<PlainId, float>> logit_bias = {};
  std::vector<PlainId> stop_ids = {};
  std::vector<std::string> stops = {};  // matched on the text
  std::vector<PlainId> kept = {};       // control tokens that are shown by name
};

struct PlainLogprob {
  PlainId id{};
  float logprob = 0;
};

// One token, in both forms.
struct PlainToken {
  PlainId id{};
  WireId wire{};
  std::optional<float> logprob;
  std::vector<PlainLogprob> top;
};

// What one token adds. `text` may be empty, and may hold characters that earlier tokens began.
struct Piece {
  std::string text;
  std::vector<PlainToken> tokens;  // one, or none for the last piece
};

struct Outcome {
  FinishReason finish = FinishReason::kStop;
  Usage usage;
  std::string stop = {};  // the stop string that ended it
};

// False ends the generation.
using PieceCallback = std::function<bool(const Piece&)>;

class Generator {
 public:
  // Both must outlive the generator.
  Generator(const ClientFolder& client, Upstream& upstream) : client_(client), upstream_(upstream) {}

  // Errors are those of Upstream; kInvalidArgument for ids outside the vocabulary.
  Result<Outcome> Run(const Generation& generation, const PieceCallback& on_piece, std::stop_token cancel = {}) const;

  // How likely the prompt's tokens are: one for each, the first without a probability. Errors are those of
  // Upstream.
  Result<std::vector<PlainToken>> Score(std::span<const PlainId> prompt, int n_top, std::stop_token cancel = {}) const;

 private:
  Result<GenerateRequest> Encrypt(const Generation& generation) const;
  Result<PlainToken> Decrypt(const GeneratedToken& token) const;

  const ClientFolder& client_;
  Upstream& upstream_;
};

}  // namespace isoveil
