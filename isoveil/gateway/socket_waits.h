// The connections that wait for their client, so that others can end the wait.
//
//   if (!waits.Wait(socket, POLLIN, begun, until)) ...   // nothing came in time, or it had to give way
//   waits.EndOldest();                                   // another thread needs room
//   waits.EndAll();                                      // the server stops
//
// A connection stands here only while its thread waits; one whose request is being answered does not. Thread-safe.
#pragma once

#include <chrono>
#include <list>
#include <mutex>

namespace isoveil {

class SocketWaits {
 public:
  using Clock = std::chrono::steady_clock;

  // True once `events` (of poll) are there, false at `until` or when it was ended. `since` is when the client could
  // have begun what is waited for.
  bool Wait(int socket, short events, Clock::time_point since, Clock::time_point until);
  // Shuts down the connection that has been waiting longest for its client to send; false if there is none.
  bool EndOldest();
  // Shuts down all of them; whoever would have to wait later fails.
  void EndAll();

 private:
  struct Waiting {
    int socket = -1;
    bool for_reading = false;
    Clock::time_point since;
  };

  std::mutex mutex_;
  std::list<Waiting> waiting_;
  bool ended_ = false;
};

}  // namespace isoveil
