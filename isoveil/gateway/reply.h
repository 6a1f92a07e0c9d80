// A request as an endpoint sees it, and where it writes its answer: one JSON document, or a stream of events.
//
//   void Echo(const ApiRequest& request, ReplyWriter& reply) {
//     reply.SendJson({{"body", request.body.size()}});
//   }
//
// A writer's functions may be called from several threads of one request.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "isoveil/gateway/api_error.h"
#include "isoveil/gateway/fields.h"

namespace isoveil {

struct ApiRequest {
  std::string body;
  std::string id;           // "req_..."
  bool wants_wire = false;  // the client's own page asks what crossed the wire
  size_t who = 0;           // number of the API key
  std::string target;       // what the path names, such as an id; may be empty
  std::stop_token cancel;   // the client is gone, or the gateway stops
};

class ReplyWriter {
 public:
  virtual ~ReplyWriter() = default;
  // The whole answer. Nothing may follow.
  virtual void Send(int status, std::string body, std::string content_type) = 0;
  // One event of a stream; `name` may be empty. Waits for a slow reader. False: the reader is gone.
  virtual bool Event(std::string_view name, std::string_view data) = 0;
  virtual bool has_events() const = 0;

  void SendJson(const Json& body) {
    Send(200, body.dump(-1, ' ', false, Json::error_handler_t::replace), "application/json");
  }
  bool JsonEvent(const Json& data, std::string_view name = "") {
    return Event(name, std::string_view(data.dump(-1, ' ', false, Json::error_handler_t::replace)));
  }
  void SendOrFail(const Result<Json>& body) { return body ? SendJson(*body) : Fail(ToApiError(body.error())); }
  // As a document, or within the stream if that has begun.
  virtual void Fail(const ApiError& error) = 0;
};

// The body as a JSON object. kInvalidArgument.
Result<Json> ParseBody(const ApiRequest& request, int max_depth);

}  // namespace isoveil
