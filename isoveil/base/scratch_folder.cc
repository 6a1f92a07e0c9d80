#include "isoveil/base/scratch_folder.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

namespace isoveil {
namespace {

constexpr char kMade = '+';

// Until the other side closes, or `end` comes.
std::string ReadUntil(int fd, char end) {
  std::string text;
  for (char c = 0;;) {
    const ssize_t n = ::read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || c == end) return text;
    text += c;
  }
}

// Whether somebody listens.
bool Say(const std::string& text) {
  return ::write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Our ends of two pipes, and a process that holds the others as its standard input and output.
struct Spawned {
  int pid = -1;
  int to = -1;
  int from = -1;
};

Result<Spawned> Spawn() {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return tl::unexpected(SystemError("scratch folder", "cannot make a pipe"));
  if (::pipe2(out, O_CLOEXEC) != 0) {
    ::close(in[0]), ::close(in[1]);
    return tl::unexpected(SystemError("scratch folder", "cannot make a pipe"));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  char program[] = "/proc/self/exe";
  std::string command = kScratchKeeperCommand;
  char* argv[] = {program, command.data(), nullptr};
  Spawned spawned{-1, in[1], out[0]};
  const int error = ::posix_spawn(&spawned.pid, program, &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(in[0]), ::close(out[1]);
  if (error == 0) return spawned;
  ::close(in[1]), ::close(out[0]);
  errno = error;
  return tl::unexpected(SystemError("scratch folder", "cannot start the process that removes it"));
}

}  // namespace

Result<ScratchFolder> ScratchFolder::Make() {
  ISOVEIL_ASSIGN_OR_RETURN(const Spawned spawned, Spawn());
  ScratchFolder folder(spawned.pid, spawned.to);
  const std::string answer = ReadUntil(spawned.from, '\0');
  ::close(spawned.from);
  if (answer.empty() || answer.front() != kMade) {
    return Fail(ErrorCode::kNotFound, "TMPDIR",
                answer.empty() ? "the process that makes a temporary folder ended" : answer,
                "set it to a folder that exists and can be written to");
  }
  folder.path_ = answer.substr(1);
  return folder;
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : keeper_(std::exchange(other.keeper_, -1)),
      lifeline_(std::exchange(other.lifeline_, -1)),
      path_(std::exchange(other.path_, {})) {}

ScratchFolder::~ScratchFolder() {
  if (keeper_ < 0) return;
  ::close(lifeline_);
  while (::waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int RunScratchKeeper() {
  std::error_code error;
  const Path temporary = std::filesystem::temp_directory_path(error);
  std::string name = (temporary / "isoveil-scratch.XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    Say("names no folder for temporary files");
    return EXIT_FAILURE;
  }
  if (Say(kMade + name + '\0')) ReadUntil(STDIN_FILENO, '\0');
  std::filesystem::remove_all(name, error);
  return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace isoveil
