#include "isoveil/apps/server_arguments.h"

#include <algorithm>

#include "isoveil/format/checkpoint.h"

namespace isoveil {
namespace {

constexpr uint64_t kLongestBatch = 8192;

}  // namespace

Result<std::vector<std::string>> ServerArguments(const Path& gguf, const std::vector<std::string>& extra) {
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(gguf));
  const GgufMetadata& metadata = checkpoint.gguf()->metadata();
  ISOVEIL_ASSIGN_OR_RETURN(const std::string architecture, metadata.GetString("general.architecture"));
  std::vector<std::string> arguments;
  if (!metadata.GetBool(architecture + ".attention.causal").value_or(true)) {
    const uint64_t n_context = metadata.GetUnsigned(architecture + ".context_length").value_or(kLongestBatch);
    const std::string batch = std::to_string(std::clamp<uint64_t>(n_context, 1, kLongestBatch));
    arguments = {"--embeddings", "-b", batch, "-ub", batch};
  }
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  return arguments;
}

}  // namespace isoveil
