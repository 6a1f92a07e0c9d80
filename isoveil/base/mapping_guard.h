// What happens when a mapped file shrinks, or its disk fails, while it is read.
//
//   GuardMappings();                               // once, at the beginning of main
//   ...                                            // read mapped files, on any thread
//   ISOVEIL_RETURN_IF_ERROR(CheckMappings());      // before a result is kept: were they there to the end?
//
// The first read of a page that is gone raises SIGBUS, which ends a process without a word. The guard puts zero pages
// in the place of all that follows in that mapping, notes the file, and lets the read go on; so every owner cleans up
// as after any other error, and whoever keeps a result asks first. (libwayland treats the buffers of its clients so.)
// A SIGBUS outside the mappings of MappedFile ends the process as before.
#pragma once

#include <cstddef>

#include "isoveil/base/result.h"

namespace isoveil {

// Takes over SIGBUS for the whole process. Call it before threads start.
void GuardMappings();

// kIo naming the first mapped file of this process that could not be read, and the offset. Thread-safe.
Status CheckMappings();

// For MappedFile alone: `path` must live until the mapping is taken out. There is room for some thousand mappings at a
// time; one more is not guarded.
void AddGuardedMapping(const void* data, size_t size, const char* path);
void RemoveGuardedMapping(const void* data);

}  // namespace isoveil
