#include "isoveil/engine/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "isoveil/base/folder.h"
#include "isoveil/base/program.h"
#include "isoveil/net/http_client.h"

extern char** environ;

namespace isoveil {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint16_t kDefaultPort = 8080;  // llama-server's own
constexpr size_t kTail = 4096;
constexpr auto kHealthInterval = std::chrono::milliseconds(50);
constexpr auto kHealthTimeout = std::chrono::milliseconds(2000);

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

// Binds a socket to see whether the port is free; 0 asks the system for one.
Result<uint16_t> FreePort(const std::string& host, uint16_t port) {
  const std::string where = fmt::format("{}:{}", host, port);
  AddressList list;
  const addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list.first) != 0) {
    return Fail(ErrorCode::kInvalidArgument, where, "is no address of this machine", "use 127.0.0.1");
  }
  sockaddr_storage address = {};
  std::memcpy(&address, list.first->ai_addr, list.first->ai_addrlen);
  const bool v6 = address.ss_family == AF_INET6;
  in_port_t& number =
      v6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port : reinterpret_cast<sockaddr_in&>(address).sin_port;
  number = htons(port);
  socklen_t size = sizeof(address);
  const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), list.first->ai_addrlen) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (bound) return ntohs(number);
  const bool taken = error == EADDRINUSE;
  return Fail(taken ? ErrorCode::kExists : ErrorCode::kIo, where,
              taken ? "the port is in use" : fmt::format("cannot listen there: {}", std::strerror(error)),
              taken ? "choose another port, or stop the program that uses it" : "use another address or port");
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

// The last lines of what a server said, for the error text about one that did not start.
std::string LastLines(std::string text) {
  constexpr int kLines = 3;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  size_t begin = text.size();
  for (int line = 0; line < kLines && begin != std::string::npos; ++line) {
    begin = begin == 0 ? std::string::npos : text.rfind('\n', begin - 1);
  }
  if (begin != std::string::npos) text.erase(0, begin + 1);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return text;
}

// -1 if there is to be none.
Result<int> OpenLog(const Path& path) {
  if (path.empty()) return -1;
  // Not waiting for the reader of a pipe.
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  if (fd < 0) return tl::unexpected(SystemError(path, "cannot open the log"));
  return fd;
}

std::string DescribeEnding(int status) {
  if (WIFEXITED(status)) return fmt::format("exit status {}", WEXITSTATUS(status));
  return fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
}

// Between fork and exec: only async-signal-safe calls.
[[noreturn]] void RunChild(const char* binary, char** argv, char** environment, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  // Out of the terminal's foreground group: its Ctrl-C is for this program, which then stops the child.
  ::setpgid(0, 0);
  // What this program does with signals is not for the child.
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP}) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::close_range(3, ~0U, 0);
  ::execve(binary, argv, environment);
  constexpr char kMessage[] = "cannot be run\n";
  (void)!::write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  ::_exit(127);
}

}  // namespace

Result<Path> FindLlamaServer(const Path& explicit_path) {
  const char* variable = std::getenv("ISOVEIL_LLAMA_SERVER");
  const Path named = !explicit_path.empty() ? explicit_path : Path(variable == nullptr ? "" : variable);
  if (!named.empty()) {
    if (IsExecutable(named)) return named;
    return Fail(ErrorCode::kNotFound, named.string(), "is no program that can be run",
                "name a llama-server, or run scripts/llama to build one");
  }
  // As installed, beside this program; else where it was built.
  std::error_code error;
  const Path installed =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path().parent_path() / "lib/isoveil/llama-server";
  for (const Path& path : {installed, Path(ISOVEIL_BUILD_LLAMA_SERVER)}) {
    if (IsExecutable(path)) return path;
  }
  if (Path found = FindProgram("llama-server"); !found.empty()) return found;
  return Fail(ErrorCode::kNotFound, "llama-server", "is not installed",
              "run scripts/llama, or name one with --engine or ISOVEIL_LLAMA_SERVER");
}

Result<Path> FindGguf(const Path& path) {
  if (!IsFolder(path)) {
    ISOVEIL_ASSIGN_OR_RETURN(const int fd, OpenRegularFile(path));
    ::close(fd);
    return path;
  }
  for (const std::string& name : FileNames(path)) {
    if (name.ends_with(".gguf")) return path / name;
  }
  const bool hugging_face = FileExists(path / "config.json");
  return Fail(ErrorCode::kNotFound, path.string(), "holds no GGUF file, which is what llama-server reads",
              hugging_face ? "encrypt with --to gguf, or serve this folder with vLLM: vllm serve " + path.string()
                           : "name the server folder that `isoveil encrypt --to gguf` wrote");
}

std::vector<std::string> ServerCommand(const Path& binary, const ServerOptions& options, uint16_t port) {
  // Without its own page, which would show a model that speaks gibberish, and without the list of what
  // is being computed.
  std::vector<std::string> command = {binary.string(), "-m",     options.model.string(), "--host",
                                      options.host,    "--port", std::to_string(port),   "--no-webui",
                                      "--no-slots"};
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

// The child, and the thread that starts it, reads what it says and collects it in the end. The thread
// lives as long as the child, because the kernel's "dies with its parent" means the parent's thread.
struct ServerProcess::State {
  std::string host;
  uint16_t port = 0;
  std::chrono::milliseconds stop_grace{0};

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool launched = false;
  pid_t pid = -1;  // -1: fork failed, with `error`
  int error = 0;
  std::optional<int> status;  // once it ended
  bool keep_tail = true;      // while it loads
  std::string tail;

  std::thread keeper;

  ~State() {
    Stop();
    if (keeper.joinable()) keeper.join();
  }

  // Starts the child with its output to a pipe; what comes out of that goes to `log` too, unless -1.
  void Keep(std::vector<std::string> command, int log) {
    int pipe[2] = {-1, -1};
    std::vector<char*> argv = Pointers(command);
    std::vector<char*> environment = ChildEnvironment();
    const pid_t parent = ::getpid();
    const bool piped = ::pipe2(pipe, O_CLOEXEC) == 0;
    const pid_t child = piped ? ::fork() : -1;
    if (child == 0) RunChild(argv[0], argv.data(), environment.data(), pipe[1], parent);
    {
      const std::lock_guard lock(mutex);
      error = errno;
      pid = child;
      launched = true;
    }
    changed.notify_all();
    if (piped) ::close(pipe[1]);
    if (child > 0) Attend(pipe[0], log);
    if (piped) ::close(pipe[0]);
    if (log >= 0) ::close(log);
  }

  // Until the child ends. A grandchild may hold the pipe open for longer; it is not waited for.
  void Attend(int output, int log) {
    const int child = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    ::fcntl(output, F_SETFL, O_NONBLOCK);
    pollfd events[] = {{child, POLLIN, 0}, {output, POLLIN, 0}};
    while ((events[0].revents & POLLIN) == 0) {
      if (::poll(events, 2, -1) < 0 && errno != EINTR) break;
      if (!Drain(output, log)) events[1].fd = -1;
    }
    ::close(child);
    const std::lock_guard lock(mutex);
    int found = 0;
    ::waitpid(pid, &found, 0);
    status = found;
    changed.notify_all();
  }

  // Reads all that there is; false at the end of the pipe.
  bool Drain(int output, int log) {
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::read(output, buffer, sizeof(buffer))) > 0) {
      const auto size = static_cast<size_t>(count);
      // A full disk must not stop the server.
      if (log >= 0) (void)!::write(log, buffer, size);
      const std::lock_guard lock(mutex);
      if (!keep_tail) continue;
      tail.append(buffer, size);
      if (tail.size() > kTail) tail.erase(0, tail.size() - kTail);
    }
    return count < 0;
  }

  bool running() const {
    const std::lock_guard lock(mutex);
    return pid > 0 && !status;
  }

  void Forget() {
    const std::lock_guard lock(mutex);
    keep_tail = false;
    tail.clear();
  }

  // A pid is safe to signal while the child has not been collected, which takes the lock.
  void Stop() {
    std::unique_lock lock(mutex);
    const auto ended = [this] { return pid <= 0 || status.has_value(); };
    if (ended()) return;
    ::kill(pid, SIGTERM);
    if (changed.wait_for(lock, stop_grace, ended)) return;
    ::kill(pid, SIGKILL);
    changed.wait(lock, ended);
  }
};

ServerProcess::ServerProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerProcess::ServerProcess(ServerProcess&&) noexcept = default;
ServerProcess& ServerProcess::operator=(ServerProcess&&) noexcept = default;
ServerProcess::~ServerProcess() = default;

Result<ServerProcess> ServerProcess::Start(const ServerOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const Path binary, FindLlamaServer(options.binary));
  if (!FileExists(options.model)) {
    return Fail(ErrorCode::kNotFound, options.model.string(), "is missing",
                "give the GGUF file that `isoveil encrypt --to gguf` wrote");
  }
  auto state = std::make_unique<State>();
  state->host = options.host;
  state->stop_grace = options.stop_grace;
  ISOVEIL_ASSIGN_OR_RETURN(state->port, FreePort(options.host, options.port));
  ISOVEIL_ASSIGN_OR_RETURN(const int log, OpenLog(options.log_file));
  State& running = *state;
  state->keeper = std::thread([&running, log, command = ServerCommand(binary, options, state->port)]() mutable {
    running.Keep(std::move(command), log);
  });
  {
    std::unique_lock lock(running.mutex);
    running.changed.wait(lock, [&] { return running.launched; });
    if (running.pid <= 0) {
      return Fail(ErrorCode::kIo, binary.string(), fmt::format("cannot be started: {}", std::strerror(running.error)));
    }
  }
  ServerProcess server(std::move(state));
  ISOVEIL_RETURN_IF_ERROR(server.WaitUntilReady(options.start_timeout));
  return server;
}

Status ServerProcess::WaitUntilReady(std::chrono::milliseconds timeout) {
  ISOVEIL_ASSIGN_OR_RETURN(const HttpClient client, HttpClient::Create(url(), {.connect_timeout = kHealthTimeout,
                                                                               .read_timeout = kHealthTimeout}));
  const auto deadline = Clock::now() + timeout;
  while (running() && Clock::now() < deadline) {
    // Another program that took the port in the meantime may answer; then the child has ended.
    if (client.Get("/health") && running()) {
      state_->Forget();
      return Ok();
    }
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_for(lock, kHealthInterval, [this] { return state_->status.has_value(); });
  }
  // A server that is being stopped says more, but not why it did not start.
  const std::string how = ending().value_or("did not become ready in time");
  const std::lock_guard lock(state_->mutex);
  return Fail(ErrorCode::kUnavailable, "llama-server", fmt::format("{}: {}", how, LastLines(state_->tail)),
              "is the model one that this llama-server can load, and does it fit into memory?");
}

std::string ServerProcess::url() const {
  // The addresses that mean "all" are no address to connect to.
  std::string host = state_->host;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  return Url{.tls = false, .host = host, .port = state_->port, .path = "", .query = ""}.ToString();
}

uint16_t ServerProcess::port() const { return state_->port; }
int ServerProcess::pid() const { return state_->pid; }
bool ServerProcess::running() const { return state_->running(); }

std::optional<std::string> ServerProcess::ending() const {
  const std::lock_guard lock(state_->mutex);
  if (!state_->status) return std::nullopt;
  return DescribeEnding(*state_->status);
}

Status ServerProcess::Stop() {
  state_->Stop();
  return Ok();
}

}  // namespace isoveil
