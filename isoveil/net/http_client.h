// Requests to one server: JSON out, documents or streams back, statuses as errors.
//
//   ISOVEIL_ASSIGN_OR_RETURN(HttpClient client, HttpClient::Create("http://gpu:8081", {}));
//   ISOVEIL_ASSIGN_OR_RETURN(std::string body, client.Get("/v1/models", cancel));
//   ISOVEIL_RETURN_IF_ERROR(client.PostStream("/completion", json, [&](std::string_view chunk) {
//     return parser.Feed(chunk);
//   }, cancel));
//
// Redirects are not followed and bodies are not decompressed. https needs a build with OpenSSL and
// always checks the server's certificate and name. Idle connections are kept and reused.
#pragma once

#include "isoveil/net/http.h"

namespace isoveil {

// The class of the error that an HTTP status stands for; see HttpClient.
ErrorCode HttpStatusCode(int status);

// What a server's error body says: the `message` or `detail` of its JSON, else its text; quoted and cut
// short.
std::string ErrorBodyText(std::string_view body);

// Asks over one connection that is kept, so that the end of the process at its other side is noticed at once and
// without sending anything: its system closes the connection. Servers close a connection after some requests; the next
// one is opened while the old one still stands, so that both lead to the same process. Where a server or a proxy before
// it keeps no connection at all, a contact lasts a minute, as long as there is a sign of life every few seconds.
//
//   ISOVEIL_ASSIGN_OR_RETURN(HttpWatch watch, HttpWatch::Create(url, options));
//   ISOVEIL_ASSIGN_OR_RETURN(std::string body, watch.Get("/v1/models"));
//   const uint64_t first = watch.contact();
//   ...
//   if (!watch.stands() || watch.contact() != first) ...      // somebody else may answer now
//
// One thread may call Get at a time; the other functions may be called by any.
class HttpWatch {
 public:
  // Errors as HttpClient::Create.
  static Result<HttpWatch> Create(std::string_view url, HttpOptions options);
  HttpWatch(HttpWatch&&) noexcept;
  HttpWatch& operator=(HttpWatch&&) noexcept;
  ~HttpWatch();

  // Opens the connection anew if it is closed. Errors as HttpClient::Get.
  Result<std::string> Get(std::string_view path, std::stop_token cancel = {});
  // Another number after each break: the same number is the same process.
  uint64_t contact() const;
  // False once the other side has closed the connection, and before there is one.
  bool stands() const;

 private:
  struct State;
  explicit HttpWatch(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Safe for concurrent calls: each takes an idle connection or opens one. A stop request closes the
// connection of the call at once, also while it connects, and the call returns kCancelled.
//
// Errors: kUnavailable (no connection, broken, silent for too long, 429, 5xx), kAuth (401, 403, a
// certificate), kNotFound (404), kUnsupported (405, 501), kInvalidArgument (other 4xx), kFormat (not
// HTTP, or too large). The server's own message is quoted, cut short.
class HttpClient {
 public:
  static Result<HttpClient> Create(std::string_view url, HttpOptions options);

  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  Result<std::string> Get(std::string_view path, std::stop_token cancel = {}) const;
  Result<std::string> Post(std::string_view path, std::string_view json, std::stop_token cancel = {}) const;
  // Gives the body of a 2xx answer piece by piece, as it comes.
  Status PostStream(std::string_view path, std::string_view json, const ChunkCallback& on_chunk,
                    std::stop_token cancel = {}) const;

  const Url& url() const;

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace isoveil
