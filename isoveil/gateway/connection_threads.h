// A thread for each connection, as httplib's server asks for it.
//
//   server.new_task_queue = [] { return new ConnectionThreads(1024, make_room); };
//
// httplib's own pool starts a thread only while none of its threads is idle, and one that was woken for
// another connection still counts as idle: of connections that arrive together some wait until a stream ends.
// Streams last minutes. Thread-safe.
#pragma once

#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace isoveil {

class ConnectionThreads final : public httplib::TaskQueue {
 public:
  // `make_room`, called where there are as many as may be, ends one that can be spared; false if there is none.
  explicit ConnectionThreads(
      size_t most, std::function<bool()> make_room = [] { return false; })
      : most_(most), make_room_(std::move(make_room)) {}
  ~ConnectionThreads() override { shutdown(); }

  // Runs `connection` at once. False, and httplib closes the connection, when there are as many as may be.
  bool enqueue(std::function<void()> connection) override;
  // Takes no more and waits until all have ended.
  void shutdown() override;

 private:
  using Threads = std::list<std::thread>;

  void Run(const std::function<void()>& connection, Threads::iterator self);
  static void Join(Threads threads);

  const size_t most_;
  const std::function<bool()> make_room_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool stopped_ = false;
  Threads running_;
  Threads done_;  // to be joined
};

}  // namespace isoveil
