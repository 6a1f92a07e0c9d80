#include "isoveil/gateway/upstream_pool.h"

#include <algorithm>

namespace isoveil {
namespace {

constexpr int kMostDoublings = 4;

// Requests a stop of what holds its token after a time, or when `outer` is stopped.
class Deadline {
 public:
  Deadline(std::chrono::milliseconds limit, const std::stop_token& outer)
      : forward_(outer, [this] { source_.request_stop(); }), timer_([this, limit](std::stop_token ended) {
          std::unique_lock lock(mutex_);
          wake_.wait_for(lock, ended, limit, [] { return false; });
          if (!ended.stop_requested()) expired_ = true, source_.request_stop();
        }) {}
  std::stop_token token() const { return source_.get_token(); }
  bool expired() const { return expired_; }

 private:
  std::stop_source source_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::atomic<bool> expired_ = false;
  std::stop_callback<std::function<void()>> forward_;
  std::jthread timer_;
};

// Held by one thread at a time; others wait no longer than until they are cancelled.
class CancellableMutex {
 public:
  // False if `cancel` was stopped first.
  bool lock_unless(const std::stop_token& cancel) {
    std::unique_lock lock(mutex_);
    return freed_.wait(lock, cancel, [&] { return !is_held_; }) && (is_held_ = true);
  }
  bool try_lock() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(is_held_, true);
  }
  void unlock() {
    const std::lock_guard lock(mutex_);
    is_held_ = false;
    freed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any freed_;
  bool is_held_ = false;
};

// What was sent has been checked before: a server that does not take it is no mistake of the client's.
Error NotOfTheClient(Error error) {
  if (error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kNotFound ||
      error.code == ErrorCode::kUnsupported) {
    error.code = ErrorCode::kFormat;
  }
  return error;
}

}  // namespace

std::string_view ServerStateName(ServerState state) {
  switch (state) {
    case ServerState::kReady: return "ready";
    case ServerState::kAway: return "away";
    case ServerState::kWrong: return "wrong";
    default: return "unknown";
  }
}

struct UpstreamPool::Member {
  explicit Member(std::unique_ptr<Upstream> its_server) : server(std::move(its_server)) {}

  bool IsReady() const {
    const std::lock_guard lock(mutex);
    return state == ServerState::kReady && server->Stands(contact);
  }
  bool Has(const Task& task) const {
    const std::lock_guard lock(mutex);
    return info && info->Has(task.kind());
  }
  void Heard() { last_heard = Clock::now().time_since_epoch().count(); }
  std::stop_token Breaker() const {
    const std::lock_guard lock(mutex);
    return breaker.get_token();
  }
  // After a failure that is the server's own; the more of them, the longer.
  void Rest(std::chrono::milliseconds unit) {
    const std::lock_guard lock(mutex);
    rests_until = Clock::now() + unit * (1 << std::min(n_failures++, kMostDoublings));
  }
  void Succeeded() {
    const std::lock_guard lock(mutex);
    rests_until = {};
    n_failures = 0;
  }

  const std::unique_ptr<Upstream> server;
  size_t index = 0;
  std::atomic<int> in_flight = 0;
  std::atomic<Clock::rep> last_heard = 0;
  CancellableMutex examination;  // one at a time

  mutable std::mutex mutex;  // of what follows
  ServerState state = ServerState::kUnknown;
  std::string why;
  Contact contact;
  std::optional<UpstreamInfo> info;  // of the last admission
  Clock::time_point rests_until = {};
  int n_failures = 0;
  std::stop_source breaker;  // of the requests that run

  std::mutex wake_mutex;
  std::condition_variable_any wake;
  bool is_wanted = false;  // to be looked at before its time
  std::jthread watcher;
};

// What became of a task at one server.
struct UpstreamPool::Attempt {
  Status status = Ok();
  bool exchanged = false;  // the contact is a new one, which is admitted before anything else is asked of it
};

UpstreamPool::UpstreamPool(std::vector<std::unique_ptr<Upstream>> servers, AdmitCallback admit, PoolOptions options)
    : admit_(std::move(admit)), options_(std::move(options)) {
  for (auto& server : servers) {
    members_.push_back(std::make_unique<Member>(std::move(server)));
    members_.back()->index = members_.size() - 1;
  }
}

UpstreamPool::~UpstreamPool() {
  for (auto& member : members_) member->watcher.request_stop();
  // To their end they read members_ and notify changed_, which C++ would destroy before it joins them.
  for (auto& member : members_) {
    if (member->watcher.joinable()) member->watcher.join();
  }
}

void UpstreamPool::SetState(Member& member, ServerState state, const std::string& why) {
  ServerState was = state;
  {
    const std::lock_guard lock(member.mutex);
    was = member.state;
    member.state = state;
    member.why = why;
  }
  if (was == state) return;
  const bool is_news = was != ServerState::kUnknown || state != ServerState::kReady;
  if (is_news && options_.on_change) options_.on_change(member.index, state, why);
  const std::lock_guard lock(changed_mutex_);
  changed_.notify_all();
}

// Looks at a server, and admits it if it is a new contact. Sets its state.
Result<UpstreamInfo> UpstreamPool::Examine(Member& member, std::stop_token cancel) {
  const auto failed = [&](const Error& error) -> Result<UpstreamInfo> {
    if (!cancel.stop_requested()) {
      SetState(member, error.code == ErrorCode::kMismatch ? ServerState::kWrong : ServerState::kAway, error.Message());
    }
    return tl::unexpected(error);
  };
  const Result<Contact> seen = member.server->Look(cancel);
  if (!seen) return failed(seen.error());
  {
    const std::lock_guard lock(member.mutex);
    if (member.state == ServerState::kReady && *seen == member.contact) return *member.info;
  }
  Deadline deadline(options_.admission, cancel);
  const Result<UpstreamInfo> info = admit_(*member.server, deadline.token());
  if (!info && deadline.expired()) {
    return failed({ErrorCode::kUnavailable, "upstream", "gives no answer to a test within a minute", ""});
  }
  if (!info) return failed(info.error());
  {
    const std::lock_guard lock(member.mutex);
    member.contact = *seen;
    member.info = *info;
  }
  SetState(member, ServerState::kReady, "");
  return *info;
}

// For a request that needs this server now.
Status UpstreamPool::MakeReady(Member& member, std::stop_token cancel) {
  if (member.IsReady()) return Ok();
  if (!member.examination.lock_unless(cancel))
    return Fail(ErrorCode::kCancelled, "upstream", "the request was cancelled");
  const std::unique_lock lock(member.examination, std::adopt_lock);
  if (member.IsReady()) return Ok();
  ISOVEIL_RETURN_IF_ERROR(Examine(member, cancel));
  return Ok();
}

void UpstreamPool::Watch(Member& member, std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (std::unique_lock lock(member.examination, std::try_to_lock); lock) (void)Examine(member, stop);
    BreakIfSilent(member);
    std::unique_lock lock(member.wake_mutex);
    member.wake.wait_for(lock, stop, options_.look_every, [&] { return member.is_wanted; });
    member.is_wanted = false;
  }
}

// A server that is stopped or cut off keeps its connections open for ever.
void UpstreamPool::BreakIfSilent(Member& member) {
  const auto heard = Clock::time_point(Clock::duration(member.last_heard.load()));
  const auto limit = members_.size() > 1 ? options_.silence : options_.last_silence;
  const std::lock_guard lock(member.mutex);
  if (member.state == ServerState::kReady || member.in_flight == 0 || Clock::now() - heard < limit) return;
  member.breaker.request_stop();
  member.breaker = {};
}

Status UpstreamPool::Start(std::stop_token cancel) {
  if (members_.empty()) return Fail(ErrorCode::kInvalidArgument, "--upstream", "no server is given");
  for (auto& member : members_) {
    member->watcher = std::jthread([this, &member = *member](std::stop_token stop) { Watch(member, stop); });
  }
  const auto count = [&](ServerState state) {
    return static_cast<size_t>(std::count_if(members_.begin(), members_.end(), [&](const auto& member) {
      const std::lock_guard lock(member->mutex);
      return member->state == state;
    }));
  };
  const std::stop_callback stopped(cancel, [&] { changed_.notify_all(); });
  std::unique_lock lock(changed_mutex_);
  changed_.wait_for(lock, options_.start_wait, [&] {
    return cancel.stop_requested() || count(ServerState::kReady) > 0 || count(ServerState::kUnknown) == 0;
  });
  if (cancel.stop_requested()) return Fail(ErrorCode::kCancelled, "start", "was stopped");
  if (count(ServerState::kWrong) < members_.size()) return Ok();
  const std::lock_guard of_member(members_.front()->mutex);
  return Fail(ErrorCode::kMismatch, "upstream", members_.front()->why,
              "start the server on the server folder that was made with this client folder");
}

// A ready server before one that may be, one that may be before one that rests; among equals the least busy one, and
// among those in turn.
UpstreamPool::Member* UpstreamPool::Choose(const std::vector<const Member*>& tried) {
  const auto now = Clock::now();
  const size_t first = turn_++;
  Member* best = nullptr;
  std::pair<int, int> best_rank;
  for (size_t i = 0; i < members_.size(); ++i) {
    Member* member = members_[(first + i) % members_.size()].get();
    if (std::find(tried.begin(), tried.end(), member) != tried.end()) continue;
    const bool ready = member->IsReady();
    const std::lock_guard lock(member->mutex);
    const int order = (ready ? 0 : 2) + (member->rests_until > now ? 1 : 0);
    const std::pair rank(order, member->in_flight.load());
    if (!best || rank < best_rank) {
      best = member;
      best_rank = rank;
    }
  }
  return best;
}

// One try at one server, which is given up when it is silent, and when another process answers under its address.
UpstreamPool::Attempt UpstreamPool::Try(Member& member, Task& task, const std::stop_token& cancel,
                                        const TaskWatch& watch) {
  Attempt attempt;
  watch.on_server(member.index);
  std::stop_source stop;
  const std::stop_callback by_client(cancel, [&] { stop.request_stop(); });
  const std::stop_callback by_silence(member.Breaker(), [&] { stop.request_stop(); });
  bool is_first = true;
  TaskWatch own = watch;
  own.on_answer = [&](size_t n_tokens) -> Status {
    member.Heard();
    attempt.exchanged = std::exchange(is_first, false) && !member.IsReady();
    if (attempt.exchanged) return Fail(ErrorCode::kUnavailable, "upstream", "was exchanged");
    return watch.on_answer(n_tokens);
  };
  attempt.status = member.server->Run(task, stop.get_token(), own);
  if (!attempt.status && stop.stop_requested()) {
    attempt.status = Fail(ErrorCode::kUnavailable, "upstream", "was silent for too long");
  }
  return attempt;
}

Status UpstreamPool::Run(Task& task, std::stop_token cancel, const TaskWatch& watch) {
  if (!CanRun(task).value_or(true)) {
    return Fail(ErrorCode::kUnsupported, "upstream", fmt::format("no server has the task '{}'", TaskName(task.kind())),
                "serve the encrypted folder with another kind of server, or with other options");
  }
  std::vector<const Member*> tried;
  std::vector<Member*> at_fault;
  std::vector<const Member*> met_anew;
  Status last = Fail(ErrorCode::kUnavailable, "upstream", "there is none");
  while (Member* member = Choose(tried)) {
    tried.push_back(member);
    member->Heard();
    ++member->in_flight;
    const Status ready = MakeReady(*member, cancel);
    const bool has_task = !ready || member->Has(task);
    Attempt attempt{.status = ready};
    if (ready && has_task) attempt = Try(*member, task, cancel, watch);
    --member->in_flight;
    if (!has_task) continue;  // by its kind: no fault
    last = std::move(attempt.status);
    if (last) {
      member->Succeeded();
      for (Member* other : at_fault) other->Rest(options_.rest);
      return Ok();
    }
    const ErrorCode code = last.error().code;
    if (cancel.stop_requested()) return Fail(ErrorCode::kCancelled, "upstream", "the request was cancelled");
    // One that does not take a request may still be fit for others; all else is looked into at once.
    if (ready && code != ErrorCode::kInvalidArgument) {
      SetState(*member, ServerState::kAway, last.error().Message());
      const std::lock_guard lock(member->wake_mutex);
      member->is_wanted = true;
      member->wake.notify_all();
    }
    if (ready && !task.CanGoOn(last.error())) break;
    // A kept connection that was closed is no fault: it may be the same model, and the only server.
    if (attempt.exchanged && std::find(met_anew.begin(), met_anew.end(), member) == met_anew.end()) {
      met_anew.push_back(member);
      tried.pop_back();
      continue;
    }
    if (ready) at_fault.push_back(member);
  }
  return tl::unexpected(NotOfTheClient(last.error()));
}

Result<UpstreamInfo> UpstreamPool::Probe(std::stop_token cancel) {
  std::vector<const Member*> tried;
  Status last = Fail(ErrorCode::kUnavailable, "upstream", "there is none");
  while (Member* member = Choose(tried)) {
    tried.push_back(member);
    last = MakeReady(*member, cancel);
    if (cancel.stop_requested()) return Fail(ErrorCode::kCancelled, "upstream", "the request was cancelled");
    if (!last) continue;
    const std::lock_guard lock(member->mutex);
    return *member->info;
  }
  return tl::unexpected(NotOfTheClient(last.error()));
}

Result<Contact> UpstreamPool::Look(std::stop_token) {
  return n_ready() > 0 ? Result<Contact>(Contact{}) : Fail(ErrorCode::kUnavailable, "upstream", "no server is ready");
}

bool UpstreamPool::Stands(const Contact&) const { return n_ready() > 0; }

// Nothing before a server was met.
std::optional<bool> UpstreamPool::CanRun(const Task& task) const {
  std::optional<bool> can;
  for (const auto& member : members_) {
    const std::lock_guard lock(member->mutex);
    if (member->info) can = can.value_or(false) || member->info->Has(task.kind());
  }
  return can;
}

size_t UpstreamPool::n_ready() const {
  return static_cast<size_t>(
      std::count_if(members_.begin(), members_.end(), [](const auto& member) { return member->IsReady(); }));
}

ServerState UpstreamPool::state() const {
  if (n_ready() > 0) return ServerState::kReady;
  bool any_wrong = false;
  for (const auto& member : members_) {
    const std::lock_guard lock(member->mutex);
    any_wrong = any_wrong || member->state == ServerState::kWrong;
  }
  return any_wrong ? ServerState::kWrong : ServerState::kAway;
}

std::optional<int64_t> UpstreamPool::n_context() const {
  std::optional<int64_t> least;
  for (const auto& member : members_) {
    const std::lock_guard lock(member->mutex);
    if (!member->info || !member->info->n_context) continue;
    least = std::min(least.value_or(INT64_MAX), *member->info->n_context);
  }
  return least;
}

std::optional<std::string_view> UpstreamPool::kind() const {
  for (const auto& member : members_) {
    const std::lock_guard lock(member->mutex);
    if (member->info) return member->info->kind;
  }
  return std::nullopt;
}

}  // namespace isoveil
