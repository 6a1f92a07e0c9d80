#include "isoveil/crypto/secret.h"

#include <cstring>
#include <utility>

#include "isoveil/crypto/sodium_init.h"

namespace isoveil {

Result<SecretBytes> SecretBytes::Allocate(size_t size) {
  InitSodium();
  // sodium_malloc ignores a refused lock; locking again, which is idempotent, tells.
  auto* data = static_cast<std::byte*>(sodium_malloc(size));
  if (data == nullptr) {
    return Fail(ErrorCode::kNoMemory, "secret", fmt::format("cannot allocate {} bytes", size));
  }
  const bool locked = size == 0 || sodium_mlock(data, size) == 0;
  std::memset(data, 0, size);
  return SecretBytes(data, size, locked);
}

Result<SecretBytes> SecretBytes::Random(size_t size) {
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes secret, Allocate(size));
  randombytes_buf(secret.data_, size);
  return secret;
}

Result<SecretBytes> SecretBytes::CopyOf(std::span<const std::byte> bytes) {
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes secret, Allocate(bytes.size()));
  if (!bytes.empty()) std::memcpy(secret.data_, bytes.data(), bytes.size());
  return secret;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), locked_(other.locked_) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(locked_, other.locked_);
  return *this;
}

// sodium_free wipes before it frees.
SecretBytes::~SecretBytes() { sodium_free(data_); }

bool ConstantTimeEqual(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void Wipe(std::span<std::byte> bytes) { sodium_memzero(bytes.data(), bytes.size()); }

}  // namespace isoveil
