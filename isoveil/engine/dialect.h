// How one kind of server writes requests and answers: pure functions between values and JSON, tested
// without a server. HttpUpstream does all the rest.
//
//   const std::unique_ptr<Dialect> dialect = LlamaServerDialect();
//   HttpCall call = dialect->Generate(request);
//   std::unique_ptr<StreamDecoder> decoder = dialect->NewDecoder();
//   ISOVEIL_ASSIGN_OR_RETURN(StreamDelta delta, decoder->Decode(event));
//
// A decoder checks that ids are integers, its caller that they lie in the vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/engine/upstream.h"

namespace isoveil {

// A POST with a JSON body.
struct HttpCall {
  std::string path;
  std::string body;
};

// What one event of a stream adds.
struct StreamDelta {
  std::vector<GeneratedToken> tokens;
  std::optional<FinishReason> finish;  // set by the event that tells how it ended
  std::optional<WireId> stop_id;       // when the server names the id that ended it
  std::optional<uint64_t> prompt_tokens;
  std::optional<uint64_t> completion_tokens;  // of the whole answer
  std::optional<uint64_t> cached_tokens;
  std::optional<double> prompt_ms;
  std::optional<double> predict_ms;
};

// Reads one stream, event by event. Not thread-safe.
class StreamDecoder {
 public:
  virtual ~StreamDecoder() = default;
  // kFormat, naming the field, if the event is not what this server writes.
  virtual Result<StreamDelta> Decode(const nlohmann::ordered_json& event) = 0;
};

// Stateless, and so safe for concurrent use.
class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual UpstreamKind kind() const = 0;

  // A streaming request.
  virtual HttpCall Generate(const GenerateRequest& request) const = 0;
  virtual std::unique_ptr<StreamDecoder> NewDecoder() const = 0;

  // Nothing where this kind of server does not tell the probabilities of a prompt's tokens.
  virtual std::optional<HttpCall> Score(std::span<const WireId>, int32_t) const { return std::nullopt; }
  // The ids that the server has read, the first without a probability.
  virtual Result<std::vector<GeneratedToken>> DecodeScores(const nlohmann::ordered_json&) const {
    return Fail(ErrorCode::kUnsupported, "prompt", "this kind of server does not tell its probabilities");
  }

  virtual HttpCall Embed(std::span<const WireId> ids) const = 0;
  virtual Result<std::vector<float>> DecodeEmbedding(const nlohmann::ordered_json& answer) const = 0;

  // Where the model's facts are told; the first must be there, the others may be missing.
  virtual std::vector<std::string> InfoPaths() const = 0;
  // Adds what the answer of `path` tells.
  virtual void ReadInfo(const std::string& path, const nlohmann::ordered_json& answer, UpstreamInfo* info) const = 0;
};

}  // namespace isoveil
