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
      Fail({.status = 500, .message = "the gateway failed on this request", .code = "internal_error"});
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

ReplyItem Exchange::Next(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return !queue_.empty() || done_; });
  if (queue_.empty()) return {.kind = done_ ? ReplyItem::Kind::kEnd : ReplyItem::Kind::kNothingYet};
  ReplyItem item = std::move(queue_.front());
  queue_.pop_front();
  changed_.notify_all();
  return item;
}

bool Exchange::Push(ReplyItem item) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.size() < kMaxQueued || stop_.stop_requested(); });
  if (stop_.stop_requested()) return false;
  has_events_ = has_events_ || item.kind == ReplyItem::Kind::kEvent;
  queue_.push_back(std::move(item));
  changed_.notify_all();
  return true;
}

void Exchange::Send(int status, std::string body, std::string content_type) {
  Push({.kind = ReplyItem::Kind::kWhole, .status = status, .text = std::move(body),
        .content_type = std::move(content_type)});
}

bool Exchange::Event(std::string_view name, std::string_view data) {
  std::string text;
  text.reserve(name.size() + data.size() + 24);
  if (!name.empty()) text.append("event: ").append(name).append("\n");
  text.append("data: ").append(data).append("\n\n");
  return Push({.kind = ReplyItem::Kind::kEvent, .text = std::move(text)});
}

bool Exchange::has_events() const {
  const std::lock_guard lock(mutex_);
  return has_events_;
}

void Exchange::Fail(const ApiError& error) {
  if (has_events()) {
    JsonEvent(error.ToJson(form_), form_ == ErrorForm::kAnthropic ? "error" : "");
    return;
  }
  Push({.kind = ReplyItem::Kind::kWhole,
        .status = error.status,
        .text = error.ToJson(form_).dump(-1, ' ', false, Json::error_handler_t::replace),
        .content_type = "application/json",
        .retry_after_seconds = error.retry_after_seconds,
        .final = error.final});
}

}  // namespace isoveil
