// Requests to a model hub: redirects, the token, errors in words.
//
//   HubClient client(settings);
//   auto answer = client.Get({.url = url}, on_start, on_data);  // one try; see retry.h
//
// Redirects are followed here, one by one: at most 10, never from https to http, and the token goes only
// where MayCarryToken allows. Bodies are not decompressed. Certificates are always checked, against
// $SSL_CERT_FILE if it is set. Proxies are taken from the environment as libcurl does.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "isoveil/hub/token.h"
#include "isoveil/net/http.h"
#include "isoveil/net/retry.h"

namespace isoveil {

struct HubSettings {
  std::string endpoint;  // as CheckEndpoint gives it
  HubToken token;
  std::string repository;  // names the repository in errors
  std::string revision;
  std::string ca_file;                       // PEM; the system's certificates if empty
  std::chrono::seconds connect_timeout{30};  // or `silence`, if that is less
  std::chrono::seconds silence{60};          // the longest time without a byte
};

struct HubRequest {
  std::string url;
  uint64_t offset = 0;   // asks for the bytes from here on
  std::string if_range;  // only if the entity tag is still this one
};

struct HubAnswer {
  int status = 0;
  std::string url;          // the last one
  HttpHeaders headers;      // of the last answer
  HttpHeaders hub_headers;  // of the endpoint's own answers; the first of each name
};

// Called before the first byte of a 2xx body, also of an empty one.
using OnHubStart = std::function<Status(const HubAnswer& answer)>;
using OnHubData = std::function<Status(std::string_view bytes)>;

// Keeps its connections. Movable; one thread at a time.
class HubClient {
 public:
  explicit HubClient(HubSettings settings);

  const HubSettings& settings() const { return settings_; }

  // An error of a callback ends the transfer and is returned, as lasting. A stop request ends it
  // at once, with kCancelled.
  tl::expected<HubAnswer, RequestFailure> Get(const HubRequest& request, const OnHubStart& on_start,
                                              const OnHubData& on_data, const std::stop_token& stop);

 private:
  tl::expected<HttpAnswer, RequestFailure> Ask(const HubRequest& request, const Url& url, const OnHead& on_start,
                                               const ChunkCallback& on_data, const std::stop_token& stop);

  HubSettings settings_;
  std::unique_ptr<HttpConnection> connection_;
};

}  // namespace isoveil
