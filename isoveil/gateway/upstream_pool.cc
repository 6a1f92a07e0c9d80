#include "isoveil/gateway/upstream_pool.h"

namespace isoveil {

UpstreamPool::UpstreamPool(std::vector<std::unique_ptr<Upstream>> servers, AdmitCallback admit)
    : admit_(std::move(admit)) {
  for (auto& server : servers) {
    members_.push_back(std::make_unique<Member>());
    members_.back()->server = std::move(server);
  }
}

void UpstreamPool::Rest(Member& member) {
  member.admitted = false;
  member.rests_until = (Clock::now() + kRest).time_since_epoch().count();
}

Status UpstreamPool::Admit(Member& member) {
  if (member.admitted) return Ok();
  const std::lock_guard lock(member.admission);
  if (member.admitted) return Ok();
  ISOVEIL_RETURN_IF_ERROR(admit_(*member.server));
  member.admitted = true;
  return Ok();
}

Status UpstreamPool::Start(std::stop_token cancel) {
  Status last = Fail(ErrorCode::kUnavailable, "--upstream", "no server is given");
  size_t fit = 0;
  for (auto& member : members_) {
    if (cancel.stop_requested()) return Fail(ErrorCode::kCancelled, "start", "was stopped");
    const Status admitted = Admit(*member);
    if (admitted) {
      ++fit;
    } else if (admitted.error().code == ErrorCode::kUnavailable) {
      Rest(*member);
      last = admitted;
    } else {
      return admitted;
    }
  }
  return fit > 0 ? Ok() : last;
}

// The least busy server that was not tried; a resting one only if there is no other.
UpstreamPool::Member* UpstreamPool::Choose(const std::vector<bool>& tried) {
  const auto now = Clock::now().time_since_epoch().count();
  Member* best = nullptr;
  bool best_rests = true;
  for (size_t i = 0; i < members_.size(); ++i) {
    if (tried[i]) continue;
    Member* member = members_[i].get();
    const bool rests = member->rests_until > now;
    if (!best || rests < best_rests || (rests == best_rests && member->in_flight < best->in_flight)) {
      best = member;
      best_rests = rests;
    }
  }
  return best;
}

namespace {

// What was sent has been checked before: a server that does not take it is no mistake of the client's.
tl::unexpected<Error> NotOfTheClient(Error error) {
  if (error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kNotFound ||
      error.code == ErrorCode::kUnsupported) {
    error.code = ErrorCode::kFormat;
  }
  return tl::unexpected(std::move(error));
}

}  // namespace

template <typename T, typename Call>
Result<T> UpstreamPool::OnSome(const Call& call) {
  std::vector<bool> tried(members_.size());
  Result<T> last = Fail(ErrorCode::kUnavailable, "upstream", "there is none");
  while (Member* member = Choose(tried)) {
    for (size_t i = 0; i < members_.size(); ++i) tried[i] = tried[i] || members_[i].get() == member;
    ++member->in_flight;
    const Status admitted = Admit(*member);
    bool may_retry = true;
    last = admitted ? call(*member->server, may_retry) : Result<T>(tl::unexpected(admitted.error()));
    --member->in_flight;
    if (last) {
      member->rests_until = 0;
      return last;
    }
    // One that runs another model is of no use, and no reason not to ask the next.
    const ErrorCode code = last.error().code;
    if (admitted && code != ErrorCode::kUnavailable) return NotOfTheClient(std::move(last.error()));
    if (code == ErrorCode::kCancelled) return last;
    Rest(*member);
    if (!may_retry) return last;
  }
  return last;
}

Result<UpstreamInfo> UpstreamPool::Probe(std::stop_token cancel) {
  return OnSome<UpstreamInfo>([&](Upstream& server, bool&) { return server.Probe(cancel); });
}

Result<GenerateResult> UpstreamPool::Generate(const GenerateRequest& request, const TokenCallback& on_token,
                                              std::stop_token cancel) {
  return OnSome<GenerateResult>([&](Upstream& server, bool& may_retry) {
    const auto deliver = [&](const GeneratedToken& token) {
      may_retry = false;
      return on_token(token);
    };
    return server.Generate(request, deliver, cancel);
  });
}

Result<std::vector<float>> UpstreamPool::Embed(std::span<const int32_t> ids, std::stop_token cancel) {
  return OnSome<std::vector<float>>([&](Upstream& server, bool&) { return server.Embed(ids, cancel); });
}

size_t UpstreamPool::n_ready() const {
  size_t n = 0;
  for (const auto& member : members_) n += member->admitted ? 1 : 0;
  return n;
}

}  // namespace isoveil
