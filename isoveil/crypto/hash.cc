#include "isoveil/crypto/hash.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "isoveil/crypto/sodium_init.h"

namespace isoveil {
namespace {

static_assert(sizeof(crypto_generichash_state) <= 384);

crypto_generichash_state* State(std::array<std::byte, 384>& state) {
  return reinterpret_cast<crypto_generichash_state*>(state.data());
}

}  // namespace

Hasher::Hasher() {
  InitSodium();
  crypto_generichash_init(State(state_), nullptr, 0, sizeof(Hash256));
}

void Hasher::Update(std::span<const std::byte> bytes) {
  crypto_generichash_update(State(state_), Raw(bytes), bytes.size());
}

Hash256 Hasher::Finish() {
  Hash256 hash;
  crypto_generichash_final(State(state_), Raw(std::span<std::byte>(hash)), hash.size());
  return hash;
}

Result<SecretBytes> KeyedHash(const SecretBytes& key, std::span<const std::byte> message) {
  if (key.size() != sizeof(Hash256)) {
    return Fail(ErrorCode::kInvalidArgument, "keyed hash",
                fmt::format("expected a key of {} bytes, found {}", sizeof(Hash256), key.size()));
  }
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes out, SecretBytes::Allocate(sizeof(Hash256)));
  crypto_generichash(Raw(out.InsecureMutableBytes()), out.size(), Raw(message), message.size(),
                     Raw(key.InsecureBytes()), key.size());
  return out;
}

Hash256 Sha256(std::span<const std::byte> bytes) {
  Hash256 hash;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(hash.data()), nullptr, EVP_sha256(),
                 nullptr) != 1) {
    // Only a libcrypto without SHA-256 fails; going on would record a hash of nothing.
    std::abort();
  }
  return hash;
}

std::string Hex(std::span<const std::byte> bytes) {
  std::string hex(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), Raw(bytes), bytes.size());
  hex.pop_back();
  return hex;
}

Status ParseHex(std::string_view hex, std::span<std::byte> bytes, const std::string& where) {
  size_t parsed = 0;
  const bool decoded = sodium_hex2bin(Raw(bytes), bytes.size(), hex.data(), hex.size(), nullptr, &parsed, nullptr) == 0;
  if (decoded && parsed == bytes.size() && hex.size() == 2 * bytes.size() &&
      hex.find_first_of("ABCDEF") == std::string_view::npos) {
    return Ok();
  }
  return Fail(ErrorCode::kFormat, where, fmt::format("expected {} lower-case hexadecimal digits", 2 * bytes.size()));
}

}  // namespace isoveil
