#include "isoveil/gateway/route_table.h"

namespace isoveil {
namespace {

constexpr std::string_view kVersion = "/v1";
constexpr std::string_view kId = "/{id}";

std::string_view Normal(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path.starts_with("/v1/")) path.remove_prefix(kVersion.size());
  return path;
}

}  // namespace

std::string RouteTable::Add(std::string_view method, std::string_view path) {
  methods_[std::string(Normal(path))].emplace(method);
  const bool versioned = path.starts_with("/v1/");
  std::string pattern = versioned ? "(?:/v1)?" : "";
  path = versioned ? Normal(path) : path;
  if (path.ends_with(kId)) return pattern + std::string(path.substr(0, path.size() - kId.size())) + "/(.*[^/])/?";
  return pattern + std::string(path) + "/?";
}

std::set<std::string> RouteTable::Methods(std::string_view path) const {
  const std::string_view normal = Normal(path);
  if (const auto found = methods_.find(normal); found != methods_.end()) return found->second;
  for (const auto& [known, methods] : methods_) {
    const std::string_view parent = std::string_view(known).substr(0, known.size() - std::min(known.size(), kId.size() - 1));
    if (known.ends_with(kId) && normal.starts_with(parent) && normal.size() > parent.size()) return methods;
  }
  return {};
}

}  // namespace isoveil
