// The number of a token: plain in the client's vocabulary, encrypted on the wire and in the server's.
#pragma once

#include <cstdint>

namespace isoveil {

// Signed because engines and their JSON use it so; a valid id is in [0, n_vocab).
using TokenId = int32_t;

// No vocabulary is larger; it bounds what is allocated on the word of a file.
inline constexpr uint64_t kMaxVocabulary = uint64_t{1} << 24;

}  // namespace isoveil
