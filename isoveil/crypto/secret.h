// Bytes that must not leak: locked in memory, guarded, wiped when they go.
//
//   ISOVEIL_ASSIGN_OR_RETURN(SecretBytes root, SecretBytes::Random(32));
//   Use(root.InsecureBytes());        // every place where secret bytes leave their type names it
//
// Memory comes from libsodium: guard pages on both sides, a canary, mlock, excluded from core dumps. Where
// the system refuses to lock memory (a low RLIMIT_MEMLOCK), the bytes are kept unlocked but still wiped;
// locked() tells. Movable, not copyable. Safe to read from many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "isoveil/base/result.h"

namespace isoveil {

class SecretBytes {
 public:
  static Result<SecretBytes> Allocate(size_t size);  // zeros
  static Result<SecretBytes> Random(size_t size);
  static Result<SecretBytes> CopyOf(std::span<const std::byte> bytes);

  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  size_t size() const { return size_; }
  bool locked() const { return locked_; }

  std::span<const std::byte> InsecureBytes() const { return {data_, size_}; }
  std::span<std::byte> InsecureMutableBytes() { return {data_, size_}; }

 private:
  SecretBytes(std::byte* data, size_t size, bool locked) : data_(data), size_(size), locked_(locked) {}

  std::byte* data_ = nullptr;
  size_t size_ = 0;
  bool locked_ = false;
};

// Compares without telling by its duration where they differ. False for different sizes.
[[nodiscard]] bool ConstantTimeEqual(std::span<const std::byte> a, std::span<const std::byte> b);

// Overwrites memory in a way that the compiler does not remove.
void Wipe(std::span<std::byte> bytes);

}  // namespace isoveil
