#include "isoveil/crypto/key_stream.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

#include "isoveil/crypto/sodium_init.h"

namespace isoveil {

static_assert(std::endian::native == std::endian::little, "words are read in little-endian order");

KeyStream::KeyStream(SecretBytes subkey) : subkey_(std::move(subkey)) {
  if (subkey_.size() != crypto_stream_chacha20_ietf_KEYBYTES) std::abort();
}

KeyStream::~KeyStream() {
  Wipe(std::as_writable_bytes(std::span(buffer_)));
  Wipe(std::as_writable_bytes(std::span(&spare_normal_, 1)));
}

uint64_t KeyStream::Next() {
  if (next_word_ == kBufferWords) {
    constexpr unsigned char kNonce[crypto_stream_chacha20_ietf_NONCEBYTES] = {};
    constexpr uint32_t kBlocks = kBufferWords * sizeof(uint64_t) / 64;
    auto* bytes = reinterpret_cast<unsigned char*>(buffer_.data());
    buffer_.fill(0);
    // libsodium aborts rather than let the counter wrap.
    crypto_stream_chacha20_ietf_xor_ic(bytes, bytes, sizeof(buffer_), kNonce, block_, Raw(subkey_.InsecureBytes()));
    block_ += kBlocks;
    next_word_ = 0;
  }
  return buffer_[next_word_++];
}

uint64_t KeyStream::Uniform(uint64_t n) {
  // 2^64 mod n words at the bottom are one incomplete multiple.
  const uint64_t reject_below = (0 - n) % n;
  uint64_t word = Next();
  while (word < reject_below) word = Next();
  return word % n;
}

double KeyStream::Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

double KeyStream::Normal() {
  if (spare_normal_) return *std::exchange(spare_normal_, std::nullopt);
  const double radius = std::sqrt(-2 * std::log(1 - Unit()));
  const double angle = 2 * std::numbers::pi * Unit();
  spare_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

}  // namespace isoveil
