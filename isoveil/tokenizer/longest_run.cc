#include "isoveil/tokenizer/longest_run.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "isoveil/base/utf8.h"

namespace isoveil {
namespace {

// What a character may stand side by side with, one bit each.
constexpr uint8_t kLetters = 1, kDigits = 2, kSigns = 4, kSpaces = 8, kPhrase = 16;
constexpr size_t kClasses = 5;

constexpr bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }
bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

constexpr uint8_t ClassesOfAscii(char c) {
  if (c == ' ') return kSpaces | kPhrase;
  if (c >= '\t' && c <= '\r') return kSpaces;
  if (IsLetter(c)) return kLetters | kPhrase;
  if (c >= '0' && c <= '9') return kDigits;
  // Some expressions take slashes and new lines behind signs, however they are mixed.
  return c == '/' ? kSigns | kSpaces : kSigns;
}

constexpr std::array<uint8_t, 128> kAscii = [] {
  std::array<uint8_t, 128> classes{};
  for (size_t c = 0; c < classes.size(); ++c) classes[c] = ClassesOfAscii(static_cast<char>(c));
  return classes;
}();

uint8_t ClassesOf(std::string_view text) {
  if (IsAscii(text[0])) return kAscii[static_cast<unsigned char>(text[0])];
  return SpaceLength(text) > 0 ? kSpaces : kLetters | kDigits | kSigns | kPhrase;
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

size_t DigitLength(std::string_view text) { return text[0] >= '0' && text[0] <= '9' ? 1 : 0; }

// The runs of each class that end at some place.
class Runs {
 public:
  void Add(uint8_t classes, size_t n) {
    for (size_t i = 0; i < kClasses; ++i) {
      runs_[i] = (classes >> i & 1) != 0 ? runs_[i] + n : 0;
      longest_ = std::max(longest_, runs_[i]);
    }
  }
  size_t longest() const { return longest_; }

 private:
  std::array<size_t, kClasses> runs_{};
  size_t longest_ = 0;
};

}  // namespace

RunKind RunKindOf(std::string_view pre_tokenizer) {
  constexpr std::string_view kWordNames[] = {"poro-chat", "bloom", "gpt3-finnish", "viking", "whitespace"};
  if (std::find(std::begin(kWordNames), std::end(kWordNames), pre_tokenizer) != std::end(kWordNames))
    return RunKind::kWords;
  return pre_tokenizer == "exaone-moe" ? RunKind::kPhrases : RunKind::kClasses;
}

size_t LongestRun(std::string_view text, RunKind kind) {
  Runs runs;
  uint8_t classes = 0;
  size_t n = 0;  // characters of these classes, so far
  for (; !text.empty(); text.remove_prefix(1)) {
    if (IsContinuation(text[0])) continue;
    const uint8_t next = ClassesOf(text, kind);
    if (next != classes) {
      runs.Add(classes, n);
      classes = next;
      n = 0;
    }
    ++n;
  }
  runs.Add(classes, n);
  return runs.longest();
}

// Measured with GCC 12: a run of 16,384 digits takes 23 s, as at each of them (?=(\d{3})+(?!\d)) looks at all that
// follow; one of 65,536 spaces 0.6 s, as \s*[\r\n]+ looks at all that follow and \s{512} takes 512 of them.
std::optional<SlowRuns> SlowRunsOf(std::string_view pre_tokenizer) {
  if (pre_tokenizer == "superbpe") return SlowRuns{"superbpe", "digits", DigitLength, 25'000'000};
  if (pre_tokenizer == "jais-2") return SlowRuns{"jais-2", "white space", SpaceLength, 15'000'000'000};
  return std::nullopt;
}

uint64_t SquaresOfRuns(std::string_view text, const SlowRuns& slow) {
  uint64_t squares = 0;
  uint64_t run = 0;
  while (!text.empty()) {
    const size_t length = slow.length(text);
    // A run of n + 1 has 2n + 1 more than one of n.
    squares += length > 0 ? 2 * run + 1 : 0;
    run = length > 0 ? run + 1 : 0;
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return squares;
}

}  // namespace isoveil
