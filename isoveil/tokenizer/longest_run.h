// How many characters one match of llama.cpp's regular expressions can hold in a text, at most.
//
//   const RunKind kind = RunKindOf("deepseek-v3");                                   // once
//   if (LongestRun(text, kind) > kMost) ...
//
// std::regex recurses once for every character of a match: a text of eight million letters takes three gigabytes of
// stack. A match holds characters of one kind side by side, but for one before them, and white space behind them.
#pragma once

#include <cstddef>
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

}  // namespace isoveil
