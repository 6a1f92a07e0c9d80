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
  Route& route = routes_[std::string(Normal(path))];
  route.name = path;
  route.methods.emplace(method);
  const bool versioned = path.starts_with("/v1/");
  std::string pattern = versioned ? "(?:/v1)?" : "";
  path = versioned ? Normal(path) : path;
  if (path.ends_with(kId)) return pattern + std::string(path.substr(0, path.size() - kId.size())) + "/(.*[^/])/?";
  return pattern + std::string(path) + "/?";
}

const RouteTable::Route* RouteTable::Find(std::string_view path) const {
  const std::string_view normal = Normal(path);
  if (const auto found = routes_.find(normal); found != routes_.end()) return &found->second;
  for (const auto& [known, route] : routes_) {
    const std::string_view parent =
        std::string_view(known).substr(0, known.size() - std::min(known.size(), kId.size() - 1));
    if (known.ends_with(kId) && normal.starts_with(parent) && normal.size() > parent.size()) return &route;
  }
  return nullptr;
}

std::set<std::string> RouteTable::Methods(std::string_view path) const {
  const Route* route = Find(path);
  return route ? route->methods : std::set<std::string>();
}

std::string RouteTable::Name(std::string_view path) const {
  const Route* route = Find(path);
  return route ? route->name : "";
}

}  // namespace isoveil
