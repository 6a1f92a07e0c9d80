#include "isoveil/crypto/seal.h"

#include "isoveil/crypto/sodium_init.h"

namespace isoveil {

Result<SecretBytes> DeriveFromPassphrase(const SecretBytes& passphrase, const Salt& salt, KdfCost cost) {
  if (cost.passes < 1 || cost.passes > KdfCost::kMaxPasses || cost.memory_bytes < KdfCost::kMinMemory ||
      cost.memory_bytes > KdfCost::kMaxMemory) {
    return Fail(ErrorCode::kInvalidArgument, "key derivation cost",
                fmt::format("expected 1 to {} passes over {} to {} bytes, found {} over {}", KdfCost::kMaxPasses,
                            KdfCost::kMinMemory, KdfCost::kMaxMemory, cost.passes, cost.memory_bytes));
  }
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes key, SecretBytes::Allocate(crypto_aead_xchacha20poly1305_ietf_KEYBYTES));
  const std::span<const std::byte> text = passphrase.InsecureBytes();
  if (crypto_pwhash(Raw(key.InsecureMutableBytes()), key.size(), reinterpret_cast<const char*>(text.data()),
                    text.size(), Raw(salt), cost.passes, cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return Fail(ErrorCode::kNoMemory, "passphrase", fmt::format("cannot use {} bytes of memory", cost.memory_bytes),
                "close other programs and try again");
  }
  return key;
}

std::vector<std::byte> Seal(const SecretBytes& key, const Nonce& nonce, std::span<const std::byte> header,
                            const SecretBytes& secret) {
  std::vector<std::byte> box(secret.size() + crypto_aead_xchacha20poly1305_ietf_ABYTES);
  crypto_aead_xchacha20poly1305_ietf_encrypt(Raw(std::span(box)), nullptr, Raw(secret.InsecureBytes()), secret.size(),
                                             Raw(header), header.size(), nullptr,
                                             Raw(std::span<const std::byte>(nonce)), Raw(key.InsecureBytes()));
  return box;
}

Result<SecretBytes> OpenSeal(const SecretBytes& key, const Nonce& nonce, std::span<const std::byte> header,
                             std::span<const std::byte> box) {
  constexpr size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
  const auto refuse = [] {
    return Fail(ErrorCode::kAuth, "passphrase", "is wrong, or the file was changed",
                "try the passphrase again, or use a copy of the file");
  };
  if (box.size() < kTag) return refuse();
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes secret, SecretBytes::Allocate(box.size() - kTag));
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          Raw(secret.InsecureMutableBytes()), nullptr, nullptr, Raw(box), box.size(), Raw(header), header.size(),
          Raw(std::span<const std::byte>(nonce)), Raw(key.InsecureBytes())) != 0) {
    return refuse();
  }
  return secret;
}

void FillRandom(std::span<std::byte> bytes) {
  InitSodium();
  randombytes_buf(bytes.data(), bytes.size());
}

}  // namespace isoveil
