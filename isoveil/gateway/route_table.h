// Finds the endpoint that a path means, as clients write them: with or without "/v1", with or without a slash at the
// end. A wrong method is told from a wrong path.
//
//   RouteTable routes(Endpoints());
//   server.Post(routes.Pattern("/v1/models/{id}"), ...);            // for httplib; the id is its group 1
//   routes.Methods("/chat/completions/");                           // {"POST"}
//   routes.Find("/models/mine")->path;                              // "/v1/models/{id}"
//
// Immutable; safe to use from many threads. The endpoints must outlive the table.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/gateway/endpoint.h"

namespace isoveil {

class RouteTable {
 public:
  explicit RouteTable(std::vector<const Endpoint*> endpoints) : endpoints_(std::move(endpoints)) {}

  // A regular expression for every spelling of `path`. Where that ends in "/{id}", the id is anything that is not
  // empty.
  static std::string Pattern(std::string_view path);

  const std::vector<const Endpoint*>& endpoints() const { return endpoints_; }
  // The first endpoint at this path, whatever its method; null if there is none.
  const Endpoint* Find(std::string_view path) const;
  // Of all endpoints at this path; empty if there is none.
  std::set<std::string_view> Methods(std::string_view path) const;
  // Of all endpoints.
  std::set<std::string_view> Methods() const;
  // The form of errors at this path, also where nothing is there: that of the endpoint above.
  ErrorForm ErrorsAt(std::string_view path) const;

 private:
  std::vector<const Endpoint*> endpoints_;
};

}  // namespace isoveil
