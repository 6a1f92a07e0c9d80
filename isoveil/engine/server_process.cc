#include "isoveil/engine/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "isoveil/engine/http_client.h"

extern char** environ;

namespace isoveil {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint16_t kDefaultPort = 8080;  // llama-server's own

bool IsExecutable(const Path& path) { return ::access(path.c_str(), X_OK) == 0; }

// Binds a socket to see whether the port is free; 0 asks the system for one.
Result<uint16_t> FreePort(const std::string& host, uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return tl::unexpected(SystemError(host, "cannot open a socket"));
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  ::close(fd);
  if (bound) return ntohs(address.sin_port);
  return Fail(error == EADDRINUSE ? ErrorCode::kExists : ErrorCode::kIo, fmt::format("{}:{}", host, port),
              error == EADDRINUSE ? "the port is in use" : std::strerror(error),
              "choose another with --port, or stop the program that uses it");
}

// The environment without this program's own variables.
std::vector<char*> ChildEnvironment() {
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::string_view(*entry).rfind("ISOVEIL_", 0) != 0) kept.push_back(*entry);
  }
  kept.push_back(nullptr);
  return kept;
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The last lines of a file, for an error text about a server that did not start.
std::string LastLines(int fd) {
  constexpr off_t kMost = 2000;
  const off_t size = ::lseek(fd, 0, SEEK_END);
  std::string text(static_cast<size_t>(std::min(size, kMost)), '\0');
  const ssize_t count = ::pread(fd, text.data(), text.size(), size - static_cast<off_t>(text.size()));
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  size_t begin = text.size();
  for (int lines = 0; lines < 3 && begin != std::string::npos && begin > 0; ++lines)
    begin = text.rfind('\n', begin - 1);
  return begin == std::string::npos || begin == 0 ? text : text.substr(begin + 1);
}

std::string DescribeEnding(int status) {
  if (WIFEXITED(status)) return fmt::format("exit status {}", WEXITSTATUS(status));
  return fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
}

// In the child: only async-signal-safe calls.
[[noreturn]] void RunChild(const char* binary, char** argv, char** environment, int log_fd, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  const int null_fd = ::open("/dev/null", O_RDONLY);
  ::dup2(null_fd, STDIN_FILENO);
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
  ::close_range(3, ~0U, 0);
  ::execve(binary, argv, environment);
  ::_exit(127);
}

Result<int> OpenLog(const Path& path) {
  const int fd = path.empty() ? ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                              : ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return tl::unexpected(SystemError(path.empty() ? Path("/tmp") : path, "cannot open a log"));
  return fd;
}

}  // namespace

Result<Path> FindLlamaServer(const Path& explicit_path) {
  const char* variable = std::getenv("ISOVEIL_LLAMA_SERVER");
  const Path named = !explicit_path.empty() ? explicit_path : Path(variable == nullptr ? "" : variable);
  if (!named.empty()) {
    if (IsExecutable(named)) return named;
    return Fail(ErrorCode::kNotFound, named.string(), "is no program that can be run");
  }
  if (IsExecutable(ISOVEIL_BUILD_LLAMA_SERVER)) return Path(ISOVEIL_BUILD_LLAMA_SERVER);
  std::string_view folders = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
  while (!folders.empty()) {
    const std::string_view folder = folders.substr(0, folders.find(':'));
    const Path path = Path(folder) / "llama-server";
    if (IsExecutable(path)) return path;
    folders.remove_prefix(std::min(folder.size() + 1, folders.size()));
  }
  return Fail(ErrorCode::kNotFound, "llama-server", "is not installed",
              "run scripts/llama, or name one with --engine or ISOVEIL_LLAMA_SERVER");
}

std::vector<std::string> ServerCommand(const Path& binary, const ServerOptions& options, uint16_t port) {
  std::vector<std::string> command = {binary.string(), "-m",     options.model.string(), "--host",
                                      options.host,    "--port", std::to_string(port)};
  command.insert(command.end(), options.extra_args.begin(), options.extra_args.end());
  return command;
}

Status ExecServer(const ServerOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const Path binary, FindLlamaServer(options.binary));
  const uint16_t port = options.port == 0 ? kDefaultPort : options.port;
  const Result<uint16_t> free = FreePort(options.host, port);
  if (!free && free.error().code == ErrorCode::kExists) return tl::unexpected(free.error());
  std::vector<std::string> command = ServerCommand(binary, options, port);
  std::vector<char*> environment = ChildEnvironment();
  ::execve(binary.c_str(), Pointers(command).data(), environment.data());
  return tl::unexpected(SystemError(binary, "cannot be run"));
}

struct ServerProcess::State {
  std::string host;
  uint16_t port = 0;
  pid_t pid = -1;
  int log_fd = -1;
  std::chrono::milliseconds stop_grace{0};
  mutable std::optional<int> status;  // once it ended

  ~State() {
    if (log_fd >= 0) ::close(log_fd);
  }

  bool Poll() const {
    int found = 0;
    if (!status && ::waitpid(pid, &found, WNOHANG) == pid) status = found;
    return !status;
  }
};

ServerProcess::ServerProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerProcess::ServerProcess(ServerProcess&&) noexcept = default;
ServerProcess& ServerProcess::operator=(ServerProcess&&) noexcept = default;

ServerProcess::~ServerProcess() {
  if (state_ != nullptr) (void)Stop().has_value();
}

Result<ServerProcess> ServerProcess::Start(const ServerOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const Path binary, FindLlamaServer(options.binary));
  std::error_code ignored;
  if (!std::filesystem::exists(options.model, ignored)) {
    return Fail(ErrorCode::kNotFound, options.model.string(), "is missing");
  }
  auto state = std::make_unique<State>();
  state->host = options.host;
  state->stop_grace = options.stop_grace;
  ISOVEIL_ASSIGN_OR_RETURN(state->port, FreePort(options.host, options.port));
  ISOVEIL_ASSIGN_OR_RETURN(state->log_fd, OpenLog(options.log_file));
  std::vector<std::string> command = ServerCommand(binary, options, state->port);
  std::vector<char*> argv = Pointers(command);
  std::vector<char*> environment = ChildEnvironment();
  const pid_t parent = ::getpid();
  state->pid = ::fork();
  if (state->pid < 0) return tl::unexpected(SystemError(binary, "cannot be started"));
  if (state->pid == 0) RunChild(binary.c_str(), argv.data(), environment.data(), state->log_fd, parent);

  ServerProcess server(std::move(state));
  ISOVEIL_ASSIGN_OR_RETURN(const HttpClient client, HttpClient::Create(server.url(), {}));
  const auto deadline = Clock::now() + options.start_timeout;
  while (server.running() && Clock::now() < deadline) {
    if (client.Get("/health")) return server;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const std::string last = LastLines(server.state_->log_fd);
  return Fail(ErrorCode::kUnavailable, "llama-server",
              fmt::format("{}: {}", server.ending().value_or("did not become ready in time"), last),
              "is the model one that this llama-server can load?");
}

std::string ServerProcess::url() const { return fmt::format("http://{}:{}", state_->host, state_->port); }
uint16_t ServerProcess::port() const { return state_->port; }
int ServerProcess::pid() const { return state_->pid; }
bool ServerProcess::running() const { return state_->Poll(); }

std::optional<std::string> ServerProcess::ending() const {
  if (state_->Poll()) return std::nullopt;
  return DescribeEnding(*state_->status);
}

Status ServerProcess::Stop() {
  if (!state_->Poll()) return Ok();
  ::kill(state_->pid, SIGTERM);
  const auto deadline = Clock::now() + state_->stop_grace;
  while (state_->Poll() && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (!state_->Poll()) return Ok();
  ::kill(state_->pid, SIGKILL);
  int status = 0;
  if (::waitpid(state_->pid, &status, 0) == state_->pid) state_->status = status;
  return Ok();
}

}  // namespace isoveil
