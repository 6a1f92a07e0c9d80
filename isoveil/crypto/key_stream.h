// An endless stream of pseudo-random numbers from a secret, the same on every machine.
//
//   KeyStream stream(std::move(subkey));
//   uint64_t face = stream.Uniform(6);        // 0..5, no modulo bias
//
// The ChaCha20 keystream (RFC 8439, IETF nonce of zeros, block counter from 0) of a 32-byte subkey, read as
// little-endian 64-bit words; after 256 GiB it aborts rather than repeat itself. docs/keys.md specifies every
// method byte by byte. Integers are the same everywhere, Normal() up to the last bits of the C library's
// log, sin and cos. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "isoveil/crypto/secret.h"

namespace isoveil {

class KeyStream {
 public:
  // Aborts unless `subkey` has 32 bytes.
  explicit KeyStream(SecretBytes subkey);
  KeyStream(KeyStream&&) noexcept = default;
  KeyStream& operator=(KeyStream&&) noexcept = default;
  ~KeyStream();

  uint64_t Next();
  // Uniform below n >= 1: words of the incomplete last multiple of n are drawn again.
  uint64_t Uniform(uint64_t n);
  // Uniform in [0, 1) with 53 bits: the upper 53 bits of a word.
  double Unit();
  // Standard normal by Box and Muller: from u1, u2, r = sqrt(-2 log(1 - u1)), first r cos(2 pi u2), at the
  // next call r sin(2 pi u2).
  double Normal();

 private:
  static constexpr size_t kBufferWords = 128;

  SecretBytes subkey_;
  uint32_t block_ = 0;
  size_t next_word_ = kBufferWords;
  std::array<uint64_t, kBufferWords> buffer_ = {};
  std::optional<double> spare_normal_;
};

}  // namespace isoveil
