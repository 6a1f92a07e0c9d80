// UTF-8, for all layers: bytes repaired, in one piece or as they arrive, and texts and names checked.
//
//   Utf8Repair repair;
//   std::string out;
//   repair.Append("\xe2\x82", out);   // out is empty: the character is not whole yet
//   repair.Append("\xac!", out);      // out is the euro sign and "!"
//   repair.Finish(out);               // a last, incomplete character would become U+FFFD
//
// Ill-formed sequences become U+FFFD, one for each maximal subpart (the Unicode Standard 15.0,
// section 3.9, "U+FFFD Substitution of Maximal Subparts"), so that the result does not depend on how
// the bytes were cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace isoveil {

class Utf8Repair {
 public:
  // Appends to `out` every character that is known now.
  void Append(std::string_view bytes, std::string& out);
  // Appends U+FFFD for what is left, and starts afresh.
  void Finish(std::string& out);

  // Bytes held back, at most three: the beginning of a well-formed character.
  std::string_view pending() const { return pending_; }

 private:
  std::string pending_;
};

// The whole of `bytes`, repaired.
std::string RepairUtf8(std::string_view bytes);

bool IsUtf8(std::string_view text);

// Names in files: 1 to `max_bytes` bytes of UTF-8 without control characters.
bool IsCleanName(std::string_view name, size_t max_bytes);

// The bytes of the character of white space that `text` begins with, or 0. Unicode's White_Space.
size_t SpaceLength(std::string_view text);

}  // namespace isoveil
