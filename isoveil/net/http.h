// HTTP/1.1 over one connection that is kept: all that the layers above see of a library.
//
//   const std::unique_ptr<HttpConnection> connection = NewPlainConnection(options);
//   HttpAnswer answer;
//   ISOVEIL_RETURN_IF_ERROR(Exchange(*connection, {.url = url, .where = "GET /health"}, on_start, on_body, stop,
//   answer)); if (!answer.ok()) ...                                      // answer.error_body tells why
//
// Redirects are not followed and bodies are not decompressed.
//
// Two libraries do the work, and neither can do the other's. `pull` needs TLS, and every kind of proxy that people sit
// behind: libcurl. What talks to inference servers runs for days in the process that holds keys: libcurl would load
// 28 further libraries into it and, measured by bench/gateway in 40 alternating pairs, cost 1.12 times the processor
// time of a streamed token (95 % interval 1.04 to 1.19), where cpp-httplib is there anyway, as the gateway's server.
// Both end a silent transfer at once when a stop is requested.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isoveil/net/url.h"

namespace isoveil {

struct HttpOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  // The longest silence. The first byte may take as long as the prompt's computation.
  std::chrono::milliseconds read_timeout{600'000};
  std::chrono::milliseconds write_timeout{30'000};
  size_t max_response_bytes = 64 << 20;  // of a whole answer; a stream is bounded by who reads it
  std::string bearer_key;                // sent as "Authorization: Bearer ..."; never in an error
  std::string ca_file;                   // PEM of the certificates to trust instead of the system's
};

// Names in lower case.
using HttpHeaders = std::map<std::string, std::string>;
// "" if there is none of that name.
std::string HeaderOf(const HttpHeaders& headers, const std::string& lower_name);

struct HttpRequest {
  std::string_view method = "GET";
  Url url;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string_view body = {};
  std::string where;  // names the exchange in errors
};

struct HttpHead {
  int status = 0;  // 0: none has come
  HttpHeaders headers;
};

// The head of an answer, before its body.
using OnHead = std::function<Status(const HttpHead& head)>;
// The next piece of a body. An error ends the transfer and is returned from the call.
using ChunkCallback = std::function<Status(std::string_view chunk)>;

// One thread sends at a time; the other functions may be called by any.
class HttpConnection {
 public:
  virtual ~HttpConnection() = default;

  // Opens the connection if there is none, to the URL's origin. A stop request closes it at once, also while it
  // connects. After an error the connection is of no further use.
  //
  // Errors: kCancelled, kUnavailable (no connection, broken, silent for too long), kAuth (a certificate), kFormat (not
  // HTTP), kUnsupported (https in a library without it), and those of the callbacks.
  virtual Status Send(const HttpRequest& request, const OnHead& on_head, const ChunkCallback& on_body,
                      std::stop_token cancel) = 0;

  // How often it was opened: the same number is the same connection.
  virtual uint64_t n_opened() const = 0;
  // False once the other side has closed it, and before it is open. Sends nothing.
  virtual bool stands() const = 0;
};

struct HttpAnswer {
  HttpHead head;
  std::string error_body;  // the beginning of what is no answer of 2xx

  bool ok() const { return head.status >= 200 && head.status < 300; }
};

// Gives `on_body` the body of a 2xx answer alone, after `on_start`, which may be empty, has seen its head. `answer` has
// what came, also after an error. A status is none.
Status Exchange(HttpConnection& connection, const HttpRequest& request, const OnHead& on_start,
                const ChunkCallback& on_body, std::stop_token cancel, HttpAnswer& answer);

// Over cpp-httplib: for inference servers.
std::unique_ptr<HttpConnection> NewPlainConnection(const HttpOptions& options);
// kUnsupported for https in a build without it.
Status CheckPlainReaches(const Url& url);

// Over libcurl, which takes proxies from the environment and always checks certificates: for hubs. In a library of its
// own, isoveil::net_curl.
std::unique_ptr<HttpConnection> NewCurlConnection(const HttpOptions& options);

}  // namespace isoveil
