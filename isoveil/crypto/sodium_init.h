// For this folder's sources: libsodium, initialised.
#pragma once

#include <sodium.h>

#include <cstddef>
#include <cstdlib>
#include <span>

namespace isoveil {

// Before this libsodium uses its portable code and has no random source that is safe between threads. It
// fails only where the system has no random source at all; nothing sensible can follow.
inline void InitSodium() {
  static const int status = sodium_init();
  if (status < 0) std::abort();
}

inline const unsigned char* Raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

inline unsigned char* Raw(std::span<std::byte> bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

}  // namespace isoveil
