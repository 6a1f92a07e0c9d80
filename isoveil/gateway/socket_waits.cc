#include "isoveil/gateway/socket_waits.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace isoveil {
namespace {

// At least one look, also where `until` is over.
bool Poll(int socket, short events, SocketWaits::Clock::time_point until) {
  pollfd entry{.fd = socket, .events = events, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SocketWaits::Clock::now()).count();
    const int ready = ::poll(&entry, 1, static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000)));
    if (ready > 0) return true;
    if ((ready < 0 && errno != EINTR) || left <= 0) return false;
  }
}

}  // namespace

bool SocketWaits::Wait(int socket, short events, Clock::time_point since, Clock::time_point until) {
  if (Poll(socket, events, Clock::time_point{})) return true;
  std::unique_lock lock(mutex_);
  if (ended_) return false;
  const auto self = waiting_.insert(waiting_.end(), {socket, (events & POLLIN) != 0, since});
  lock.unlock();
  const bool ready = Poll(socket, events, until);
  lock.lock();
  waiting_.erase(self);
  return ready && !ended_;
}

bool SocketWaits::EndOldest() {
  const std::lock_guard lock(mutex_);
  const auto oldest = std::min_element(waiting_.begin(), waiting_.end(), [](const Waiting& a, const Waiting& b) {
    return a.for_reading != b.for_reading ? a.for_reading : a.since < b.since;
  });
  if (oldest == waiting_.end() || !oldest->for_reading) return false;
  ::shutdown(oldest->socket, SHUT_RDWR);
  oldest->for_reading = false;  // not a second time
  return true;
}

void SocketWaits::EndAll() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (const Waiting& waiting : waiting_) ::shutdown(waiting.socket, SHUT_RDWR);
}

}  // namespace isoveil
