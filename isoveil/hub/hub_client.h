// Requests to a model hub, over libcurl: redirects, the token, errors in words.
//
//   HubClient client(settings);
//   auto answer = client.Get({.url = url}, on_start, on_data);  // one try; see retry.h
//
// Redirects are followed here, one by one: at most 10, never from https to http, and the token goes only
// where MayCarryToken allows. Bodies are not decompressed. Certificates are always checked, against
// $SSL_CERT_FILE if it is set. Proxies are taken from the environment as libcurl does.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "isoveil/hub/retry.h"
#include "isoveil/hub/token.h"

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

// Header names are in lower case.
using HubHeaders = std::map<std::string, std::string>;

struct HubAnswer {
  long status = 0;
  std::string url;         // the last one
  HubHeaders headers;      // of the last answer
  HubHeaders hub_headers;  // of the endpoint's own answers; the first of each name
};

// Called before the first byte of a 2xx body, also of an empty one.
using OnHubStart = std::function<Status(const HubAnswer& answer)>;
using OnHubData = std::function<Status(std::string_view bytes)>;

// Keeps its connections. One thread at a time.
class HubClient {
 public:
  explicit HubClient(HubSettings settings);
  HubClient(HubClient&&) noexcept;
  HubClient& operator=(HubClient&&) noexcept;
  ~HubClient();

  const HubSettings& settings() const;

  // An error of a callback ends the transfer and is returned, as lasting. Setting `stop` ends it with
  // kCancelled within about a second.
  tl::expected<HubAnswer, HubFailure> Get(const HubRequest& request, const OnHubStart& on_start,
                                          const OnHubData& on_data, const std::atomic<bool>& stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isoveil
