// One request between the thread of its connection and the thread that works on it.
//
//   auto exchange = std::make_shared<Exchange>(limits);
//   exchange->Start([=](ReplyWriter& reply, std::stop_token cancel) { Work(reply, cancel); });
//   while (auto item = exchange->Next(250ms)) ...      // the connection's thread
//
// Two threads, so that a client that leaves is noticed while the model computes, and a slow reader holds up nobody but
// its own generation: at most kMaxQueued events wait, then the writer does. Destroying the exchange cancels the work
// and waits for its end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "isoveil/gateway/reply.h"

namespace isoveil {

// What the connection's thread has to do next.
struct ReplyItem {
  enum class Kind { kWhole, kEvent, kEnd, kNothingYet };
  Kind kind = Kind::kNothingYet;
  int status = 200;
  std::string text;          // the body, or the bytes of an event
  std::string content_type;
  std::optional<int> retry_after_seconds;
  bool final = false;        // a retry would not help
};

class Exchange final : public ReplyWriter {
 public:
  static constexpr size_t kMaxQueued = 256;

  explicit Exchange(ErrorForm form = ErrorForm::kOpenAi) : form_(form) {}
  ~Exchange() override;

  void Start(std::function<void(ReplyWriter&, std::stop_token)> work);
  // The work is told to end; it may still write.
  void Cancel();
  // Waits at most `timeout`.
  ReplyItem Next(std::chrono::milliseconds timeout);

  void Send(int status, std::string body, std::string content_type) override;
  bool Event(std::string_view name, std::string_view data) override;
  bool has_events() const override;
  void Fail(const ApiError& error) override;

 private:
  bool Push(ReplyItem item);

  const ErrorForm form_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ReplyItem> queue_;
  bool has_events_ = false;
  bool done_ = false;
  std::stop_source stop_;
  std::thread worker_;
};

}  // namespace isoveil
