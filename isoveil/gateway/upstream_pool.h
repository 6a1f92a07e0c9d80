// Several servers with the same checkpoint as one: the least busy one answers, and another where it fails.
//
//   UpstreamPool pool(std::move(servers), [&](Upstream& server, std::stop_token stop) { return CheckCanary(...); });
//   ISOVEIL_RETURN_IF_ERROR(pool.Start());
//   Generate(pool, request, on_token);
//
// A server is used only after `admit` has accepted it, and admitted again at each new contact: another model may answer
// under its address. A thread for each server looks at it every two seconds over a connection that is kept; before a
// request, and when its first token comes, the connection must still stand. Whatever goes wrong with one server moves
// the task to the next one, also in the middle of an answer, as far as the task can go on there. A server that is
// silent is given up after seconds. Safe to use from many threads.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "isoveil/engine/upstream.h"

namespace isoveil {

// What the server is, if it is fit; kMismatch if it runs another model.
using AdmitCallback = std::function<Result<UpstreamInfo>(Upstream& server, std::stop_token cancel)>;

enum class ServerState {
  kUnknown,  // not looked at so far
  kReady,
  kAway,   // cannot be reached, or answers nonsense
  kWrong,  // runs another model
};

// "unknown", "ready", "away", "wrong".
std::string_view ServerStateName(ServerState state);

struct PoolOptions {
  std::chrono::milliseconds look_every{2'000};
  std::chrono::milliseconds start_wait{10'000};    // Start waits no longer for servers that say nothing
  std::chrono::milliseconds admission{60'000};     // a canary's answer from a slow machine
  std::chrono::milliseconds silence{6'000};        // of a server that shows no life, while others could take over
  std::chrono::milliseconds last_silence{60'000};  // where there is no other
  std::chrono::milliseconds rest{3'000};           // after a failure that others did not have; doubled each time
  // A server's state has changed; from the thread that watches it.
  std::function<void(size_t server, ServerState state, const std::string& why)> on_change = {};
};

class UpstreamPool final : public Upstream {
 public:
  // At least one server.
  UpstreamPool(std::vector<std::unique_ptr<Upstream>> servers, AdmitCallback admit, PoolOptions options = {});
  ~UpstreamPool() override;

  // Begins to watch the servers. Returns when one is ready, or all have been looked at. An error only if every one of
  // them can be reached and is wrong; those that are away are waited for in the background.
  Status Start(std::stop_token cancel = {});

  // The facts of a server that is ready.
  Result<UpstreamInfo> Probe(std::stop_token cancel = {}) override;
  Result<Contact> Look(std::stop_token cancel = {}) override;
  bool Stands(const Contact& contact) const override;
  // At one of the servers that have the task; kUnsupported if none of those that were met does.
  Status Run(Task& task, std::stop_token cancel = {}, const TaskWatch& watch = {}) override;

  // Servers that may be used now. Sends nothing.
  size_t n_ready() const;
  // kReady if one is; kWrong if those that can be reached all run another model.
  ServerState state() const;
  // The shortest context of the servers that were met; nothing before one was.
  std::optional<int64_t> n_context() const;
  std::optional<std::string_view> kind() const;

 private:
  struct Member;
  struct Attempt;
  using Clock = std::chrono::steady_clock;

  Attempt Try(Member& member, Task& task, const std::stop_token& cancel, const TaskWatch& watch);
  std::optional<bool> CanRun(const Task& task) const;
  Member* Choose(const std::vector<const Member*>& tried);
  Status MakeReady(Member& member, std::stop_token cancel);
  Result<UpstreamInfo> Examine(Member& member, std::stop_token cancel);
  void SetState(Member& member, ServerState state, const std::string& why);
  void Watch(Member& member, std::stop_token stop);
  void BreakIfSilent(Member& member);

  const AdmitCallback admit_;
  const PoolOptions options_;
  std::vector<std::unique_ptr<Member>> members_;
  std::atomic<size_t> turn_ = 0;  // who is asked first among equals
  std::mutex changed_mutex_;
  std::condition_variable changed_;
};

}  // namespace isoveil
