#include "isoveil/gateway/exchange.h"

namespace isoveil {

Exchange::~Exchange() {
  Cancel();
  if (worker_.joinable()) worker_.join();
}

void Exchange::Start(std::function<void(ReplyWriter&, std::stop_token)> work) {
  worker_ = std::thread([this, work = std::move(work)] {
    try {
      work(*this, stop_.get_token());
    } catch (const std::exception&) {
      // Its text may hold a part of the request.
      Fail({.status = 500, .message = "the gateway failed on this request", .code = ApiCode::kInternalError});
    }
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  });
}

void Exchange::Cancel() {
  stop_.request_stop();
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

ReplyItem Exchange::First(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return first_ || done_; });
  if (!first_) return {.kind = done_ ? ReplyItem::Kind::kEnd : ReplyItem::Kind::kNothingYet};
  return *first_;
}

bool Exchange::Stream(Write write, std::chrono::milliseconds tick, const GoOn& go_on) {
  std::unique_lock lock(mutex_);
  bool is_there = write(first_->text);
  write_ = std::move(write);
  changed_.notify_all();
  while (is_there && !done_) {
    has_written_ = false;
    changed_.wait_for(lock, tick, [&] { return done_ || stop_.stop_requested(); });
    is_there = done_ || (!stop_.stop_requested() && go_on(!has_written_));
  }
  write_ = nullptr;
  return is_there && !stop_.stop_requested();
}

bool Exchange::Event(std::string_view name, std::string_view data) {
  std::string text;
  text.reserve(name.size() + data.size() + 24);
  if (!name.empty()) text.append("event: ").append(name).append("\n");
  text.append("data: ").append(data).append("\n\n");

  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return write_ || !first_ || stop_.stop_requested(); });
  if (stop_.stop_requested()) return false;
  if (!first_) {
    first_ = {.kind = ReplyItem::Kind::kEvent, .text = std::move(text)};
    changed_.notify_all();
    return true;
  }
  has_written_ = true;
  if (write_(text)) return true;
  stop_.request_stop();
  changed_.notify_all();
  return false;
}

bool Exchange::has_events() const {
  const std::lock_guard lock(mutex_);
  return first_ && first_->kind == ReplyItem::Kind::kEvent;
}

void Exchange::PushWhole(ReplyItem item) {
  const std::lock_guard lock(mutex_);
  if (first_) return;
  first_ = std::move(item);
  changed_.notify_all();
}

void Exchange::Send(int status, std::string body, std::string content_type) {
  PushWhole({.kind = ReplyItem::Kind::kWhole,
             .status = status,
             .text = std::move(body),
             .content_type = std::move(content_type)});
}

void Exchange::Fail(const ApiError& error) {
  if (has_events()) {
    JsonEvent(error.ToJson(form_), form_ == ErrorForm::kAnthropic ? "error" : "");
    return;
  }
  PushWhole({.kind = ReplyItem::Kind::kWhole,
             .status = error.status,
             .text = error.ToJson(form_).dump(-1, ' ', false, Json::error_handler_t::replace),
             .content_type = "application/json",
             .retry_after_seconds = error.retry_after_seconds,
             .final = error.final});
}

}  // namespace isoveil
