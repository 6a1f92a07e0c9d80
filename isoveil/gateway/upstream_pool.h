// Several servers with the same checkpoint as one: the least busy one answers, and another where it is away.
//
//   UpstreamPool pool(std::move(servers), [&](Upstream& server) { return CheckCanary(client, server); });
//   pool.Generate(request, on_token);
//
// A server is used only after `admit` has accepted it, at its first use and again after it has been away: another
// model may answer under its address. One that cannot be reached rests for some seconds. A request moves to another
// server only while no token of it has been delivered. Safe to use from many threads.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>

#include "isoveil/engine/upstream.h"

namespace isoveil {

using AdmitCallback = std::function<Status(Upstream& server)>;

class UpstreamPool final : public Upstream {
 public:
  static constexpr std::chrono::seconds kRest{3};

  // At least one server.
  UpstreamPool(std::vector<std::unique_ptr<Upstream>> servers, AdmitCallback admit);

  // Probes and admits the servers. Ok if at least one is fit and none is wrong: a server that can be reached but
  // is refused by `admit` is an error, one that is away only rests.
  Status Start(std::stop_token cancel = {});

  // The facts of the first server that answers.
  Result<UpstreamInfo> Probe(std::stop_token cancel = {}) override;
  Result<GenerateResult> Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                  std::stop_token cancel = {}) override;
  Result<std::vector<float>> Embed(std::span<const int32_t> ids, std::stop_token cancel = {}) override;

  // Servers that may be used now.
  size_t n_ready() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Member {
    std::unique_ptr<Upstream> server;
    std::atomic<int> in_flight = 0;
    std::atomic<bool> admitted = false;
    std::atomic<Clock::rep> rests_until = 0;
    std::mutex admission;
  };
  // Runs `call` on one server after the other until it succeeds or fails for good.
  template <typename T, typename Call>
  Result<T> OnSome(const Call& call);
  Status Admit(Member& member);
  Member* Choose(const std::vector<bool>& tried);
  static void Rest(Member& member);

  std::vector<std::unique_ptr<Member>> members_;
  AdmitCallback admit_;
};

}  // namespace isoveil
