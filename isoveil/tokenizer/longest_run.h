// What llama.cpp's regular expressions take for a text: how many characters one match can hold, at most, and where the
// time grows faster than the text.
//
//   const RunKind kind = RunKindOf("deepseek-v3");                                   // once
//   if (LongestRun(text, kind) > kMost) ...
//   const std::optional<SlowRuns> slow = SlowRunsOf("superbpe");                     // once
//   if (slow && SquaresOfRuns(text, *slow) > slow->most) ...
//
// std::regex recurses once for every character of a match: a text of eight million letters takes three gigabytes of
// stack. A match holds characters of one kind side by side, but for one before them, and white space behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace isoveil {

enum class RunKind {
  kClasses,  // letters, digits, other signs, white space
  kWords,    // whatever is not white space, and white space
  kPhrases,  // letters with spaces between them, and the classes
};

// By the name in tokenizer.ggml.pre.
RunKind RunKindOf(std::string_view pre_tokenizer);

// `text` is well-formed UTF-8. Characters beyond ASCII, other than white space, count as of every class.
size_t LongestRun(std::string_view text, RunKind kind);

// Runs that take a time that grows as the square of their length.
struct SlowRuns {
  std::string_view pre_tokenizer;
  std::string_view what;                    // for people
  size_t (*length)(std::string_view text);  // in bytes, of such a character at the beginning of `text`; 0 if it is none
  uint64_t most;                            // squares, together: about two seconds
};

// Nothing for most; by the name in tokenizer.ggml.pre.
std::optional<SlowRuns> SlowRunsOf(std::string_view pre_tokenizer);

// The squares of the lengths of all such runs, in characters.
uint64_t SquaresOfRuns(std::string_view text, const SlowRuns& slow);

}  // namespace isoveil
