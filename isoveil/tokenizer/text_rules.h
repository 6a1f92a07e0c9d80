// What Hugging Face does to a text before llama.cpp's tokenizer gets it, where llama.cpp does not.
//
//   TextRules rules;
//   rules.nfc = true;
//   rules.AddSpecial("<|im_end|>", 151645, /*always=*/false);
//   ISOVEIL_ASSIGN_OR_RETURN(auto sections, rules.Apply("cafe\u0301<|im_end|>", /*parse_special=*/true));
//   // {text "caf\u00e9"}, {token 151645}
//
// Special tokens are found first, from left to right, the longest at each place, some with the white space
// beside them; the other rules then apply to the text between them, as the `tokenizers` library does it
// (AddedVocabulary::extract_and_normalize).
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"

namespace isoveil {

// The bytes of white space that `text` begins with.
size_t SpaceAtStart(std::string_view text);
std::string_view WithoutSpaceAtEnd(std::string_view text);

// A special token, or text without any.
struct TextSection {
  std::optional<PlainId> token;
  std::string text;
};

// Where a space is put before text that does not begin with one; see kSpacePrefixKey in own_keys.h.
enum class SpacePrefix { kNone, kFirst, kEach };

class TextRules {
 public:
  bool nfc = false;  // normal form C
  SpacePrefix space_prefix = SpacePrefix::kNone;

  // `always`: the token is found in every text, not only where special tokens are parsed. Empty texts and
  // second tokens of the same text are left out.
  void AddSpecial(std::string text, PlainId id, bool always);

  // The special token takes the white space before it (`left`) or behind it with it. False for ids that are no
  // special token.
  bool Strip(int64_t id, bool left);

  // No section is empty. kInvalidArgument unless `text` is well-formed UTF-8.
  // No special token lies over one of the `barriers`, ascending offsets.
  Result<std::vector<TextSection>> Apply(std::string_view text, bool parse_special,
                                         std::span<const size_t> barriers = {}) const;

 private:
  struct Special {
    PlainId id;
    bool always;
    bool strips_left = false;
    bool strips_right = false;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct Found {
    Special special;
    size_t length = 0;
  };
  std::optional<Found> SpecialAt(std::string_view text) const;
  Status AppendText(std::string_view text, bool at_start, std::vector<TextSection>& sections) const;

  std::unordered_map<std::string, Special, Hash, std::equal_to<>> specials_;
  // Lengths of the specials that begin with a byte, longest first: vocabularies have thousands of specials
  // of few lengths.
  std::array<std::vector<size_t>, 256> lengths_;
};

}  // namespace isoveil
