#include "isoveil/engine/server_kind.h"

#include <array>

namespace isoveil {

std::span<const ServerKind* const> ServerKinds() {
  static const std::array<const ServerKind*, 3> kKinds = {&LlamaServer(), &Vllm(), &Sglang()};
  return kKinds;
}

Result<const ServerKind*> FindServerKind(std::string_view name) {
  if (name == "auto") return nullptr;
  std::string names = "auto";
  for (const ServerKind* kind : ServerKinds()) {
    if (name == kind->name || name == kind->owner) return kind;
    names += fmt::format(", {}", kind->name);
  }
  return Fail(ErrorCode::kInvalidArgument, "kind of upstream",
              fmt::format("expected one of {}, found {}", names, Quoted(name)));
}

}  // namespace isoveil
