// Whether llama.cpp opens a GGUF model, in a process of its own: on what it does not expect it may end its process.
//
//   ISOVEIL_RETURN_IF_ERROR(LoadsInLlama("out/server/model.gguf"));
//
//   if (argc == 2 && argv[1] == std::string_view(kLoadWorkerCommand)) return RunLoadWorker(), 0;   // first in main
//
// Reads the header and lays out the network for a short sequence, as a server does at its start, but reads no weight
// and takes no memory for them: it costs milliseconds, whatever the size.
#pragma once

#include "isoveil/base/file.h"

namespace isoveil {

inline constexpr char kLoadWorkerCommand[] = "gguf-load-worker";

// kFormat with llama.cpp's reasons. Starts this program again, whose main must know the command above.
Status LoadsInLlama(const Path& gguf);

// The child's main.
void RunLoadWorker();

}  // namespace isoveil
