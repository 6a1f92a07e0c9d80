// The paths of the API as clients write them: with or without "/v1", with or without a slash at the end; and which
// methods each path has, so that a wrong one is told from a wrong path.
//
//   RouteTable routes;
//   server.Post(routes.Add("POST", "/v1/chat/completions"), ...);   // a pattern for httplib
//   server.Get(routes.Add("GET", "/v1/models/{id}"), ...);          // the id is the pattern's group 1
//   routes.Methods("/chat/completions/");                          // {"POST"}
//   routes.Name("/models/mine");                                   // "/v1/models/{id}"
//
// Not thread-safe while paths are added.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace isoveil {

class RouteTable {
 public:
  // `path` may end in "/{id}", which stands for anything that is not empty.
  std::string Add(std::string_view method, std::string_view path);
  // Empty if there is nothing at this path.
  std::set<std::string> Methods(std::string_view path) const;
  // The path as it was added; empty likewise.
  std::string Name(std::string_view path) const;

 private:
  struct Route {
    std::string name;
    std::set<std::string> methods;
  };
  const Route* Find(std::string_view path) const;
  std::map<std::string, Route, std::less<>> routes_;
};

}  // namespace isoveil
