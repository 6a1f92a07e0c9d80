#include "isoveil/tokenizer/longest_run.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "isoveil/tokenizer/utf8.h"

namespace isoveil {
namespace {

// What a character may stand side by side with, one bit each.
constexpr uint8_t kLetters = 1, kDigits = 2, kSigns = 4, kSpaces = 8, kPhrase = 16;
constexpr size_t kClasses = 5;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

uint8_t ClassesOf(std::string_view text) {
  const char c = text[0];
  if (c == ' ') return kSpaces | kPhrase;
  if (SpaceLength(text) > 0) return kSpaces;
  if (static_cast<unsigned char>(c) >= 0x80) return kLetters | kDigits | kSigns | kPhrase;
  if (IsLetter(c)) return kLetters | kPhrase;
  if (c >= '0' && c <= '9') return kDigits;
  // Some expressions take slashes and new lines behind signs, however they are mixed.
  return c == '/' ? kSigns | kSpaces : kSigns;
}

uint8_t ClassesOf(std::string_view text, RunKind kind) {
  const uint8_t classes = ClassesOf(text);
  switch (kind) {
    case RunKind::kClasses: return static_cast<uint8_t>(classes & ~kPhrase);
    case RunKind::kWords: return (classes & kSpaces) != 0 && text[0] != '/' ? kSpaces : kLetters;
    case RunKind::kPhrases: break;
  }
  return classes;
}

}  // namespace

RunKind RunKindOf(std::string_view pre_tokenizer) {
  constexpr std::string_view kWordNames[] = {"poro-chat", "bloom", "gpt3-finnish", "viking", "whitespace"};
  if (std::find(std::begin(kWordNames), std::end(kWordNames), pre_tokenizer) != std::end(kWordNames)) return RunKind::kWords;
  return pre_tokenizer == "exaone-moe" ? RunKind::kPhrases : RunKind::kClasses;
}

size_t LongestRun(std::string_view text, RunKind kind) {
  size_t longest = 0;
  std::array<size_t, kClasses> runs{};
  for (; !text.empty(); text.remove_prefix(1)) {
    if (IsContinuation(text[0])) continue;
    const uint8_t classes = ClassesOf(text, kind);
    for (size_t i = 0; i < kClasses; ++i) {
      runs[i] = (classes >> i & 1) != 0 ? runs[i] + 1 : 0;
      longest = std::max(longest, runs[i]);
    }
  }
  return longest;
}

}  // namespace isoveil
