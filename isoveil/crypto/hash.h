// BLAKE2b with 256-bit output, plain and keyed; SHA-256 for the content of files; hexadecimal.
//
//   Hasher hasher;
//   hasher.Update(bytes);
//   Hash256 hash = hasher.Finish();
//
// Sources: RFC 7693 by libsodium's generichash; FIPS 180-4 by OpenSSL, which uses the processor's instructions for it
// and so reads a checkpoint twice as fast as BLAKE2b would.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"
#include "isoveil/crypto/secret.h"

namespace isoveil {

using Hash256 = std::array<std::byte, 32>;

// Incremental; Finish may be called once.
class Hasher {
 public:
  Hasher();
  void Update(std::span<const std::byte> bytes);
  void Update(std::string_view text) { Update(std::as_bytes(std::span(text))); }
  Hash256 Finish();

 private:
  alignas(64) std::array<std::byte, 384> state_ = {};  // crypto_generichash_state
};

// The keyed hash of `message`: a subkey, kept as a secret. kInvalidArgument unless `key` has 32 bytes.
Result<SecretBytes> KeyedHash(const SecretBytes& key, std::span<const std::byte> message);

// SHA-256 of `bytes`.
Hash256 Sha256(std::span<const std::byte> bytes);

std::string Hex(std::span<const std::byte> bytes);
// kFormat unless `hex` is exactly the lower-case form of `bytes.size()` bytes. `where` names it in errors.
Status ParseHex(std::string_view hex, std::span<std::byte> bytes, const std::string& where);

}  // namespace isoveil
