#include "isoveil/key/model_key.h"

#include <vector>

namespace isoveil {

Result<ModelIdentity> ParseModelIdentity(std::string_view hex, const std::string& where) {
  ModelIdentity identity;
  ISOVEIL_RETURN_IF_ERROR(ParseHex(hex, identity, where + ": model_identity"));
  return identity;
}

KeyStream ModelKey::Stream(std::string_view label) const noexcept {
  std::vector<std::byte> message;
  const auto append = [&](std::span<const std::byte> bytes) {
    message.insert(message.end(), bytes.begin(), bytes.end());
  };
  append(std::as_bytes(std::span(std::string_view("isoveil-stream-1"))));
  append(identity_);
  for (unsigned shift = 0; shift < 64; shift += 8) {
    message.push_back(static_cast<std::byte>(static_cast<uint64_t>(label.size()) >> shift));
  }
  append(std::as_bytes(std::span(label)));
  return KeyStream(KeyedHash(root_.secret(), message).value());
}

}  // namespace isoveil
