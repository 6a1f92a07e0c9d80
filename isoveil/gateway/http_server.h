// httplib's server for clients that are slow or mean.
//
//   HttpServer server(1024);                  // as many connections at a time
//   server.Get("/health", ...);               // as httplib::Server
//   server.listen_after_bind();
//   server.Stop();                            // from another thread
//
// httplib lets a client take half a minute for every byte: one that sends its headers drop by drop holds a thread for
// hours, a thousand of them hold all, and none can be stopped. Here a request has ten seconds, and one more for each
// 16 KiB that have come. Where all threads are taken, the connection that has been sending its request for longest
// makes room for the next. Stop ends all that wait for their clients.
#pragma once

#include <httplib.h>

#include "isoveil/gateway/socket_waits.h"

namespace isoveil {

class HttpServer final : public httplib::Server {
 public:
  explicit HttpServer(size_t most_connections, std::chrono::milliseconds request_time = std::chrono::seconds(10));

  void Stop();

 private:
  bool process_and_close_socket(socket_t socket) override;

  const std::chrono::milliseconds request_time_;
  SocketWaits waits_;
};

}  // namespace isoveil
