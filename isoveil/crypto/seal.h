// Sealing a secret with a passphrase: Argon2id and XChaCha20-Poly1305, by libsodium.
//
//   ISOVEIL_ASSIGN_OR_RETURN(SecretBytes key, DeriveFromPassphrase(passphrase, salt, KdfCost::Moderate()));
//   std::vector<std::byte> box = *Seal(key, nonce, header, secret);
//   Result<SecretBytes> secret = OpenSeal(key, nonce, header, box);      // kAuth if anything was changed
#pragma once

#include <array>
#include <span>
#include <vector>

#include "isoveil/crypto/secret.h"

namespace isoveil {

using Salt = std::array<std::byte, 16>;
using Nonce = std::array<std::byte, 24>;

// What one guess of a passphrase costs. The caps bound what a foreign key file can make us do.
struct KdfCost {
  uint64_t passes = 3;
  uint64_t memory_bytes = 256 << 20;

  static constexpr KdfCost Moderate() { return {3, 256 << 20}; }
  static constexpr KdfCost Interactive() { return {2, 64 << 20}; }

  static constexpr uint64_t kMaxPasses = 16;
  static constexpr uint64_t kMaxMemory = uint64_t{2} << 30;
  static constexpr uint64_t kMinMemory = 8192;
};

// kInvalidArgument beyond the caps, kNoMemory if the memory cannot be had.
Result<SecretBytes> DeriveFromPassphrase(const SecretBytes& passphrase, const Salt& salt, KdfCost cost);

// `key` has 32 bytes and a nonce is used once per key; a random one will do. `header` is authenticated and
// not encrypted. The result is 16 bytes longer than the secret.
std::vector<std::byte> Seal(const SecretBytes& key, const Nonce& nonce, std::span<const std::byte> header,
                            const SecretBytes& secret);
// kAuth if key, nonce, header or box differ from those that were sealed.
Result<SecretBytes> OpenSeal(const SecretBytes& key, const Nonce& nonce, std::span<const std::byte> header,
                             std::span<const std::byte> box);

// From the system's random source; for salts and nonces. Secrets come from SecretBytes::Random.
void FillRandom(std::span<std::byte> bytes);

}  // namespace isoveil
