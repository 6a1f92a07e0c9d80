// The number of a token, of two kinds that never mix: plain in the client's vocabulary, encrypted on the wire and in
// the server's.
//
//   const PlainId plain{7};
//   ISOVEIL_ASSIGN_OR_RETURN(const WireId sent, cipher.Encrypt(plain));     // VocabCipher; there is no other way
//   Score(server, std::vector{plain}, 0);                                   // does not compile
//
// Both are numbers to JSON and to libraries, by Value; a valid one is in [0, n_vocab).
#pragma once

#include <cstdint>
#include <limits>

namespace isoveil {

// Signed because engines and their JSON use it so.
enum class PlainId : int32_t {};
enum class WireId : int32_t {};

constexpr int32_t Value(PlainId id) { return static_cast<int32_t>(id); }
constexpr int32_t Value(WireId id) { return static_cast<int32_t>(id); }

// A foreign number as an id; -1, which lies in no vocabulary, for one that is none.
template <typename Id>
constexpr Id IdOf(int64_t number) {
  return Id{number < 0 || number > std::numeric_limits<int32_t>::max() ? -1 : static_cast<int32_t>(number)};
}

// No vocabulary is larger; it bounds what is allocated on the word of a file.
inline constexpr uint64_t kMaxVocabulary = uint64_t{1} << 24;

}  // namespace isoveil
