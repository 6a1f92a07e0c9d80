// A temporary folder for what must not outlive the process, such as a plaintext model: it is removed however the
// process ends, by a signal that cannot be caught too.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Make());
//   Write(scratch.path() / "plain.gguf");
//
//   if (argc == 2 && argv[1] == std::string_view(kScratchKeeperCommand)) return RunScratchKeeper();   // first in main
//
// A child makes the folder, waits for this process to be gone or to let go of it, and removes what it made. It lives in
// a session of its own, so that an interrupt at the terminal does not reach it. What ends the whole machine leaves the
// folder.
#pragma once

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"

namespace isoveil {

inline constexpr char kScratchKeeperCommand[] = "scratch-keeper";

// Movable; the folder is gone when the destructor returns.
class ScratchFolder {
 public:
  // In TMPDIR. kNotFound if that names no folder, kIo if nothing can be made there. Starts this program again, whose
  // main must know the command above.
  static Result<ScratchFolder> Make();
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();

  const Path& path() const { return path_; }

 private:
  ScratchFolder(int keeper, int lifeline) : keeper_(keeper), lifeline_(lifeline) {}

  int keeper_ = -1;
  int lifeline_ = -1;  // the keeper reads its end
  Path path_;
};

// The child's main: its exit code.
int RunScratchKeeper();

}  // namespace isoveil
