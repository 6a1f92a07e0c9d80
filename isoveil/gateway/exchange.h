// One request between the thread of its connection and the thread that works on it.
//
//   auto exchange = std::make_shared<Exchange>();
//   exchange->Start([=](ReplyWriter& reply, std::stop_token cancel) { Work(reply, cancel); });
//   while (ReplyItem item = exchange->First(250ms); ...) ...             // the connection's thread: document or
//   stream? bool whole = exchange->Stream(write_to_socket, 250ms, [&](bool is_silent) { return IsThere(client); });
//
// Two threads, so that a client that leaves is noticed while the model computes. The events of a stream are written by
// the thread that works: a slow reader holds up nobody but its own generation, nothing is queued, and an event costs no
// change of threads. Destroying the exchange cancels the work and waits for its end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "isoveil/gateway/reply.h"

namespace isoveil {

// What the connection's thread has to do first.
struct ReplyItem {
  enum class Kind { kWhole, kEvent, kEnd, kNothingYet };
  Kind kind = Kind::kNothingYet;
  int status = 200;
  std::string text;  // the body
  std::string content_type;
  std::optional<int> retry_after_seconds;
  bool final = false;  // a retry would not help
};

class Exchange final : public ReplyWriter {
 public:
  explicit Exchange(ErrorForm form = ErrorForm::kOpenAi) : form_(form) {}
  ~Exchange() override;

  void Start(std::function<void(ReplyWriter&, std::stop_token)> work);
  // The work is told to end; it may still write.
  void Cancel();
  // What the work says first. Waits at most `timeout`.
  ReplyItem First(std::chrono::milliseconds timeout);

  // False: the reader is gone. Waits for a slow one.
  using Write = std::function<bool(std::string_view bytes)>;
  // Asked each `tick`, never during a write: whether to go on, `is_silent` if nothing was written meanwhile.
  using GoOn = std::function<bool(bool is_silent)>;
  // After a first event: it and all that follow go to `write`, one at a time, until the work has ended (true) or one of
  // the two says no.
  bool Stream(Write write, std::chrono::milliseconds tick, const GoOn& go_on);

  void Send(int status, std::string body, std::string content_type) override;
  bool Event(std::string_view name, std::string_view data) override;
  bool has_events() const override;
  void Fail(const ApiError& error) override;

 private:
  void PushWhole(ReplyItem item);

  const ErrorForm form_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<ReplyItem> first_;
  Write write_;  // while the connection's thread is in Stream
  bool has_written_ = false;
  bool done_ = false;
  std::stop_source stop_;
  std::thread worker_;
};

}  // namespace isoveil
