// What `gateway`, `up` and `chat` share: flags, the check of the servers, waiting for Ctrl-C.
#pragma once

#include "isoveil/apps/cli.h"
#include "isoveil/gateway/gateway.h"

namespace isoveil {

struct GatewayFlags {
  std::string host = "127.0.0.1";
  uint16_t port = 8080;
  std::string api_key_file;
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> allowed_origins;
  int max_concurrent = 1024;
  int max_per_minute = 0;
  uint64_t max_body = uint64_t{8} << 20;
  std::string name;
  bool metrics = false;
  std::optional<LogForm> log = {};
  bool no_page = false;
  bool parse_special = false;
};
void AddGatewayFlags(CLI::App& app, GatewayFlags& flags);

struct UpstreamFlags {
  std::vector<std::string> urls = {"http://127.0.0.1:8081"};
  std::string kind = "auto";
  std::string key_file;
  std::string ca_file;
};
void AddUpstreamFlags(CLI::App& app, UpstreamFlags& flags);

// `isoveil gateway`, and all of `isoveil-gateway`: adds the flags to `app`.
Command GatewayCommand(CLI::App& app);

// SIGINT and SIGTERM wait to be taken by WaitForStop, in every thread that is started later.
void HoldStopSignals();
// Returns true when the person or the system wants an end; a second signal then ends the process at once. False when
// `goes_on`, asked twice a second, says that there is nothing left to wait for.
[[nodiscard]] bool WaitForStop(const std::function<bool()>& goes_on = [] { return true; });

// Opens the client's folder and the servers, and checks that they run this model. What is recorded or trusted is told
// on stderr.
Result<std::unique_ptr<UpstreamPool>> OpenPool(const Path& client_folder, const ClientFolder& client,
                                               const UpstreamFlags& flags);
Result<std::unique_ptr<Gateway>> OpenGateway(const Path& client_folder, const RootKey& key,
                                             const UpstreamFlags& upstreams, const GatewayFlags& flags);

// The line to change in an application, and the address of the page, if there is one.
std::string Welcome(const Gateway& gateway);

}  // namespace isoveil
