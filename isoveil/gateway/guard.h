// Who may ask: addresses, hosts, origins, API keys, rates.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Guard guard, Guard::Create(options));
//   if (auto refusal = guard.Check(caller)) return Refuse(*refusal);
//
// A page of another origin must not reach a gateway on this machine through the browser of its owner, and a name that
// resolves to this machine is not this machine (DNS rebinding): Host and Origin are compared with lists. Keys are kept
// as hashes and compared in constant time. Safe to use from many threads.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "isoveil/crypto/hash.h"
#include "isoveil/gateway/api_error.h"

namespace isoveil {

struct GuardOptions {
  std::string host = "127.0.0.1";  // the address that is bound
  uint16_t port = 8080;
  std::vector<std::string> api_keys;
  std::vector<std::string> allowed_hosts;    // further "name" or "name:port"
  std::vector<std::string> allowed_origins;  // further "https://name"
  int max_concurrent = 1024;                 // requests of one key at a time
  int max_per_minute = 0;                    // of one key; 0 is unlimited
};

// What is looked at of a request.
struct Caller {
  std::string host;
  std::string origin;
  std::string fetch_site;  // Sec-Fetch-Site
  std::string authorization;
};

// True for 127.0.0.0/8, ::1 and localhost.
bool IsLoopback(std::string_view host);

class Guard {
 public:
  // kInvalidArgument for an address beyond this machine without an API key.
  static Result<Guard> Create(GuardOptions options);

  // Host and Origin alone, for pages and /health; nothing if the caller is welcome.
  std::optional<ApiError> CheckPlace(const Caller& caller) const;
  // A page of another origin that was allowed by name asks.
  bool IsListedOrigin(const Caller& caller) const;
  // The key. `who` becomes its number, for Enter.
  std::optional<ApiError> CheckKey(const Caller& caller, size_t* who) const;

  // Counts a request of `who` while the returned slot lives; an error if there are too many.
  using Slot = std::shared_ptr<void>;
  tl::expected<Slot, ApiError> Enter(size_t who);

 private:
  struct Use {
    int running = 0;
    double tokens = 0;  // of the bucket that max_per_minute fills
    int64_t filled_ms = 0;
  };
  struct State {
    std::mutex mutex;
    std::map<size_t, Use> uses;
  };
  explicit Guard(GuardOptions options);

  GuardOptions options_;
  std::vector<Hash256> key_hashes_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace isoveil
