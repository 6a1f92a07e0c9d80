#include "isoveil/gateway/connection_threads.h"

#include <system_error>
#include <utility>

namespace isoveil {
namespace {

constexpr std::chrono::milliseconds kRoomTime{500};  // what an ended connection takes at most to go

}  // namespace

bool ConnectionThreads::enqueue(std::function<void()> connection) {
  Threads done;
  {
    std::unique_lock lock(mutex_);
    const auto has_room = [&] { return stopped_ || running_.size() < most_; };
    if (!has_room() && make_room_()) ended_.wait_for(lock, kRoomTime, has_room);
    if (stopped_ || running_.size() >= most_) return false;
    done.swap(done_);
    const auto self = running_.emplace(running_.end());
    try {
      *self = std::thread([this, self, connection = std::move(connection)] { Run(connection, self); });
    } catch (const std::system_error&) {
      running_.erase(self);  // the system has no thread left
      return false;
    }
  }
  Join(std::move(done));
  return true;
}

void ConnectionThreads::Run(const std::function<void()>& connection, Threads::iterator self) {
  connection();
  const std::lock_guard lock(mutex_);
  done_.splice(done_.end(), running_, self);
  ended_.notify_all();
}

void ConnectionThreads::Join(Threads threads) {
  for (std::thread& thread : threads) thread.join();
}

void ConnectionThreads::shutdown() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  ended_.wait(lock, [&] { return running_.empty(); });
  Threads done = std::move(done_);
  done_.clear();
  lock.unlock();
  Join(std::move(done));
}

}  // namespace isoveil
