// Hardening of a process that holds keys.
#pragma once

namespace isoveil {

// No core dumps, no ptrace by other processes of the user: memory with keys and text stays out of files.
void DisableCoreDumps();

}  // namespace isoveil
