// SentencePiece's table of normalisations: what a piece of text is replaced by.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const Charsmap map, Charsmap::Parse(bytes, where));
//   map.Apply("\uff28ello")                                       // "Hello"
//
// The table is a double array (Darts) over the bytes of what is replaced, and the texts that replace, each ended by a
// zero. A cluster of characters that people take for one (Unicode Standard Annex 29) of at most five bytes is looked up
// as a whole, else its characters are; of the entries that a piece begins with the shortest counts, as Hugging Face's
// spm_precompiled has it.
//
// Immutable; safe to share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

class Charsmap {
 public:
  // kFormat, naming `where`. Whatever the bytes are, no look-up leaves them.
  static Result<Charsmap> Parse(std::string_view bytes, const std::string& where);

  // Of well-formed UTF-8; well-formed. kInvalidArgument if it becomes longer than MostOf(text).
  Result<std::string> Apply(std::string_view text) const;
  // What a normalisation may make of a text: the longest in Unicode makes 33 bytes of 3. A hostile table makes more.
  static size_t MostOf(std::string_view text) { return 16 * text.size() + 4096; }

 private:
  // What a piece becomes; nothing if it stays.
  std::optional<std::string_view> Find(std::string_view piece) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace isoveil
