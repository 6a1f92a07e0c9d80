// The endpoints: one table says of each its method, its path, the function that answers it and how it is treated. All
// else reads the table: routing, refusals of other methods, keys, the log, metrics, CORS, the form of errors.
//
//   for (const Endpoint& endpoint : Endpoints()) server.Add(endpoint);
//
// A new endpoint is a file with its function, a declaration in apis.h and a line in endpoint.cc.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "isoveil/gateway/apis.h"

namespace isoveil {

struct Endpoint {
  std::string_view method;  // "GET", "POST" or "DELETE"
  std::string_view path;    // as it is documented; what ends in "/{id}" has a target, see ApiRequest
  void (*answer)(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) = nullptr;
  // What the model has to give for it; nothing where it is there for every model.
  std::optional<PortKind> output = std::nullopt;
  // Whose clients read its errors, and those at paths below its own.
  ErrorForm errors = ErrorForm::kOpenAi;
  bool is_open = false;  // asks for no API key: what it says is for everybody who may connect
  // A look at the gateway itself, as machines take it every few seconds: answered by the connection's own thread, not
  // counted, logged or limited.
  bool is_look = false;
  bool is_for_metrics = false;  // there if GatewayOptions::metrics asks for it
};

std::span<const Endpoint> Endpoints();

// The endpoint's answer; where the model does not give what it needs, an error that says what it gives.
void AnswerAt(const Endpoint& endpoint, const ModelService& service, const ApiRequest& request, ReplyWriter& reply);

}  // namespace isoveil
