// The kinds of stock servers: one row says how a kind is known, and how it writes each task that it has.
//
//   const ServerKind* kind = FindServerKind("vllm");
//   if (kind->embed != nullptr) HttpCall call = kind->embed->write(request);
//
// A dialect is pure functions between values and JSON, tested without a server. A new kind of server is one file with
// its dialects and its row, and a line in server_kind.cc.
#pragma once

#include <span>
#include <vector>

#include "isoveil/engine/generate.h"
#include "isoveil/engine/score.h"
#include "isoveil/engine/upstream.h"
#include "isoveil/engine/vectors.h"

namespace isoveil {

struct ServerKind {
  std::string_view name;   // "llama-server"
  std::string_view owner;  // what it calls itself in `owned_by` of /v1/models; a name, too

  // Where the model's facts are told; the first must be there, the others may be missing.
  std::span<const std::string_view> info_paths;
  // Adds what the answer of `path` tells.
  void (*read_info)(std::string_view path, const nlohmann::ordered_json& answer, UpstreamInfo* info) = nullptr;

  // Null where this kind of server does not have the task.
  const GenerateDialect* generate = nullptr;
  const ScoreDialect* score = nullptr;
  const VectorDialect* embed = nullptr;
  const VectorDialect* classify = nullptr;
};

const ServerKind& LlamaServer();
const ServerKind& Vllm();
const ServerKind& Sglang();

// Of all kinds; they live for ever.
std::span<const ServerKind* const> ServerKinds();

// By name or owner; null for "auto". Anything else is kInvalidArgument.
Result<const ServerKind*> FindServerKind(std::string_view name);

}  // namespace isoveil
