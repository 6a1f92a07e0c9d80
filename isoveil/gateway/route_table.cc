#include "isoveil/gateway/route_table.h"

#include <algorithm>

namespace isoveil {
namespace {

constexpr std::string_view kVersion = "/v1";
constexpr std::string_view kId = "/{id}";

std::string_view Normal(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path.starts_with("/v1/")) path.remove_prefix(kVersion.size());
  return path;
}

// Whether `path` is there as it is written; both are normal.
bool IsAt(std::string_view known, std::string_view path) { return known == path; }

// Whether `path` is an id below `known`, which ends in "/{id}".
bool IsIdBelow(std::string_view known, std::string_view path) {
  if (!known.ends_with(kId)) return false;
  const std::string_view parent = known.substr(0, known.size() - kId.size() + 1);
  return path.starts_with(parent) && path.size() > parent.size();
}

}  // namespace

std::string RouteTable::Pattern(std::string_view path) {
  const std::string version = path.starts_with("/v1/") ? "(?:/v1)?" : "";
  if (path.starts_with("/v1/")) path = Normal(path);
  if (path.ends_with(kId)) return version + std::string(path.substr(0, path.size() - kId.size())) + "/(.*[^/])/?";
  return version + std::string(path) + "/?";
}

const Endpoint* RouteTable::Find(std::string_view path) const {
  for (const auto& is_there : {IsAt, IsIdBelow}) {
    const auto found = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const Endpoint* endpoint) {
      return is_there(Normal(endpoint->path), Normal(path));
    });
    if (found != endpoints_.end()) return *found;
  }
  return nullptr;
}

std::set<std::string_view> RouteTable::Methods(std::string_view path) const {
  std::set<std::string_view> methods;
  const Endpoint* found = Find(path);
  for (const Endpoint* endpoint : endpoints_) {
    if (found != nullptr && endpoint->path == found->path) methods.insert(endpoint->method);
  }
  return methods;
}

std::set<std::string_view> RouteTable::Methods() const {
  std::set<std::string_view> methods;
  for (const Endpoint* endpoint : endpoints_) methods.insert(endpoint->method);
  return methods;
}

ErrorForm RouteTable::ErrorsAt(std::string_view path) const {
  if (const Endpoint* found = Find(path)) return found->errors;
  for (const Endpoint* endpoint : endpoints_) {
    const std::string_view parent = Normal(endpoint->path);
    if (Normal(path).starts_with(parent) && Normal(path).substr(parent.size()).starts_with('/'))
      return endpoint->errors;
  }
  return ErrorForm::kOpenAi;
}

}  // namespace isoveil
