#include "isoveil/base/framed_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

namespace isoveil {
namespace {

using Clock = std::chrono::steady_clock;

tl::unexpected<Error> Gone(std::string problem) {
  return Fail(ErrorCode::kUnavailable, "child process", std::move(problem));
}

// Waits until the socket is ready for `events`.
Status Wait(int socket, short events, Clock::time_point end) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return Gone("took too long");
    pollfd one{socket, events, 0};
    const int n = ::poll(&one, 1, static_cast<int>(std::min<int64_t>(left, 1'000'000)));
    if (n > 0) return Ok();
    if (n < 0 && errno != EINTR) return Gone("cannot be waited for");
  }
}

Status SendAll(int socket, std::string_view bytes, Clock::time_point end) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      ISOVEIL_RETURN_IF_ERROR(Wait(socket, POLLOUT, end));
    } else if (errno != EINTR) {
      return Gone("ended");
    }
  }
  return Ok();
}

Status ReceiveAll(int socket, char* to, size_t size, Clock::time_point end) {
  while (size > 0) {
    ISOVEIL_RETURN_IF_ERROR(Wait(socket, POLLIN, end));
    const ssize_t n = ::recv(socket, to, size, MSG_DONTWAIT);
    if (n > 0) {
      to += n;
      size -= static_cast<size_t>(n);
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      return Gone("ended");
    }
  }
  return Ok();
}

std::string Head(size_t size) {
  const auto length = static_cast<uint64_t>(size);
  std::string head(sizeof(length), '\0');
  std::memcpy(head.data(), &length, sizeof(length));
  return head;
}

// Everything that was opened without CLOEXEC would stay open in the child.
void CloseOthers() {
  const rlim_t most = 1 << 16;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (::close_range(3, ~0U, 0) == 0) return;
  for (rlim_t fd = 3; fd < std::min(limit.rlim_cur, most); ++fd) ::close(static_cast<int>(fd));
}

size_t MappedBytes() {
  std::ifstream file("/proc/self/statm");
  size_t pages = 0;
  file >> pages;
  return pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

void Lower(int resource, rlim_t value) {
  const rlimit limit{value, value};
  ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
}

// A child that loops outlives its parent by this much, at most.
void AllowCpu(int seconds) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const rlimit limit{static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec + seconds), RLIM_INFINITY};
  ::setrlimit(RLIMIT_CPU, &limit);
}

bool ReadAll(char* to, size_t size) {
  while (size > 0) {
    const ssize_t n = ::read(STDIN_FILENO, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

Result<FramedChild> FramedChild::Start(const std::vector<std::string>& command) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return Fail(ErrorCode::kIo, command.front(), "cannot have a socket");
  }
  std::vector<char*> arguments;
  for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // Its own group: Ctrl-C on the terminal is this process's business.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  // Where libraries are, and what time it is here; nothing else of this process's environment.
  std::vector<std::string> kept;
  for (const char* name : {"LD_LIBRARY_PATH", "TZ"}) {
    if (const char* value = std::getenv(name)) kept.push_back(std::string(name) + "=" + value);
  }
  std::vector<char*> environment;
  for (std::string& one : kept) environment.push_back(one.data());
  environment.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, command.front().c_str(), &actions, &attributes, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return Fail(ErrorCode::kIo, command.front(), fmt::format("cannot be started: {}", std::strerror(error)));
  }
  return FramedChild(pid, ends[0]);
}

FramedChild::FramedChild(FramedChild&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), socket_(std::exchange(other.socket_, -1)) {}

FramedChild& FramedChild::operator=(FramedChild&& other) noexcept {
  if (this != &other) {
    Kill();
    pid_ = std::exchange(other.pid_, -1);
    socket_ = std::exchange(other.socket_, -1);
  }
  return *this;
}

FramedChild::~FramedChild() { Kill(); }

void FramedChild::Kill() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

Result<std::string> FramedChild::Ask(std::string_view question, std::chrono::milliseconds limit, size_t max_answer) {
  if (pid_ < 0) return Gone("ended");
  const auto end = Clock::now() + limit;
  const auto ask = [&]() -> Result<std::string> {
    ISOVEIL_RETURN_IF_ERROR(SendAll(socket_, Head(question.size()), end));
    ISOVEIL_RETURN_IF_ERROR(SendAll(socket_, question, end));
    uint64_t size = 0;
    ISOVEIL_RETURN_IF_ERROR(ReceiveAll(socket_, reinterpret_cast<char*>(&size), sizeof(size), end));
    if (size > max_answer) return Gone(fmt::format("answers with more than {} bytes", max_answer));
    std::string answer(size, '\0');
    ISOVEIL_RETURN_IF_ERROR(ReceiveAll(socket_, answer.data(), answer.size(), end));
    return answer;
  };
  Result<std::string> answer = ask();
  if (!answer) Kill();
  return answer;
}

void ServeFrames(const ChildLimits& limits, const std::function<std::string(const std::string&)>& answer) {
  ::prctl(PR_SET_DUMPABLE, 0);
  CloseOthers();
  Lower(RLIMIT_CORE, 0);
  // Room that is reserved and not touched costs nothing, so a sanitizer's shadow must not count.
  Lower(RLIMIT_AS, MappedBytes() + limits.memory_bytes);
  uint64_t size = 0;
  while (ReadAll(reinterpret_cast<char*>(&size), sizeof(size))) {
    std::string question(size, '\0');
    if (!ReadAll(question.data(), question.size())) return;
    AllowCpu(limits.cpu_seconds);
    const std::string said = answer(question);
    const auto never = Clock::now() + std::chrono::hours(1);
    if (!SendAll(STDIN_FILENO, Head(said.size()), never) || !SendAll(STDIN_FILENO, said, never)) return;
  }
}

}  // namespace isoveil
