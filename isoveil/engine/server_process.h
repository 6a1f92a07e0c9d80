// A stock llama-server as a child process.
//
//   ISOVEIL_ASSIGN_OR_RETURN(ServerProcess server, ServerProcess::Start({.model = "out/server/m.gguf"}));
//   Use(server.url());                                   // it is ready: /health says so
//   ISOVEIL_RETURN_IF_ERROR(server.Stop());              // or leave it to the destructor
//
// The child is given the model, an address and the extra arguments, and nothing else: variables that
// begin with ISOVEIL_ and open files are not passed on. It dies with this process, even a killed one, and
// Ctrl-C on the terminal does not reach it: stopping it is this program's work.
// Its output goes to `log_file` or nowhere; only while it loads are its last lines kept, for the
// error text.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"

namespace isoveil {

struct ServerOptions {
  Path model;  // a GGUF file
  // Where llama-server is. Empty: $ISOVEIL_LLAMA_SERVER, else the one that this build was made with,
  // else the first on PATH.
  Path binary;
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0 picks a free one
  // Passed after Isoveil's own arguments, so that they win: {"-c", "4096", "-np", "2"}. Must hold no
  // secret: the command line of a process is public.
  std::vector<std::string> extra_args;
  Path log_file;  // appended, mode 0600; empty discards
  std::chrono::milliseconds start_timeout{600'000};
  std::chrono::milliseconds stop_grace{5'000};  // between SIGTERM and SIGKILL
};

// kNotFound if there is none, or the given one cannot be executed; the hint says what to run.
Result<Path> FindLlamaServer(const Path& explicit_path = {});

// A GGUF file as it is; of a folder the one in it, or its first shard. kNotFound if there is none.
Result<Path> FindGguf(const Path& path);

// The whole command line, program first.
std::vector<std::string> ServerCommand(const Path& binary, const ServerOptions& options, uint16_t port);

// Replaces this process by llama-server, in the foreground, with its output on this terminal. Returns
// only if that fails. Port 0 means 8080 here, which is the server's own default.
Status ExecServer(const ServerOptions& options);

// Movable. One thread may use it at a time; `running` may be called by any.
class ServerProcess {
 public:
  // Returns when the server is ready. kExists if the port is in use; kNotFound if the model or the
  // binary is missing; kUnavailable, with the server's last lines, if it ends or stays silent.
  static Result<ServerProcess> Start(const ServerOptions& options);

  ServerProcess(ServerProcess&&) noexcept;
  ServerProcess& operator=(ServerProcess&&) noexcept;
  ~ServerProcess();  // as Stop

  std::string url() const;  // "http://127.0.0.1:40123"
  uint16_t port() const;
  int pid() const;
  bool running() const;
  // How it ended: "exit status 1", "signal 9 (Killed)"; nothing while it runs.
  std::optional<std::string> ending() const;

  // SIGTERM, then SIGKILL after the grace period. Ok if it had ended already.
  Status Stop();

 private:
  struct State;
  explicit ServerProcess(std::unique_ptr<State> state);
  Status WaitUntilReady(std::chrono::milliseconds timeout);

  std::unique_ptr<State> state_;
};

}  // namespace isoveil
