#include "isoveil/transform/quick_hash.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace isoveil {

struct QuickHash::State {
  XXH3_state_t xxh;
};

QuickHash::QuickHash() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
QuickHash::~QuickHash() = default;

void QuickHash::Update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
}

std::string QuickHash::Hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace isoveil
