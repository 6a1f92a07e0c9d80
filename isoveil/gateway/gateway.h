// The HTTP server on the client's side: OpenAI's API and the chat page before a blind server.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto gateway, Gateway::Start(std::move(client), std::move(pool), options));
//   Use(gateway->url());                        // it listens
//   gateway->Stop();                            // ends running answers, waits for them
//
// The endpoints stand in endpoint.cc; the page is the files of page.cc. Nothing of a request or an answer is logged or
// written anywhere; `on_request` gets numbers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "isoveil/gateway/guard.h"
#include "isoveil/gateway/options.h"
#include "isoveil/gateway/request_log.h"
#include "isoveil/gateway/upstream_pool.h"
#include "isoveil/package/client_folder.h"

namespace isoveil {

struct GatewayOptions {
  GuardOptions guard;  // port 0 picks a free one
  RequestLimits limits;
  std::string model_name;
  std::vector<std::string> upstream_urls;  // of the pool's servers, in its order; at least one
  bool metrics = false;
  bool page = true;            // of a model that writes text
  bool parse_special = false;  // control tokens that stand in a content as text become control tokens
  int max_connections = 1024;
  // Starts a process that runs the model's chat template: see TemplateWorker.
  std::vector<std::string> template_worker = {};
  // A request has ended; from any thread. Not for the page and for looks at the gateway itself.
  std::function<void(const LogEntry&)> on_request = {};
};

class Gateway {
 public:
  // The pool must have started. kExists if the port is in use, kInvalidArgument as Guard::Create.
  static Result<std::unique_ptr<Gateway>> Start(std::unique_ptr<const ClientFolder> client,
                                                std::unique_ptr<UpstreamPool> pool, GatewayOptions options);
  ~Gateway();

  std::string url() const;
  uint16_t port() const;
  bool has_page() const;
  void Stop();

 private:
  class Impl;
  explicit Gateway(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace isoveil
