// What a Unigram tokenizer of Hugging Face does to a text before it is cut: steps in the order of its tokenizer.json.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const auto normalizer, UnigramNormalizer::Read({"nfkd", "lowercase"}, "", where));
//   normalizer.Apply("\u00c9")                                    // "e\u0301"
//
// Time and memory are linear in the text, for each of at most kMostSteps steps. Immutable; safe to share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/tokenizer/charsmap.h"

namespace isoveil {

class UnigramNormalizer {
 public:
  static constexpr size_t kMostSteps = 32;

  // Steps are "charsmap", "nfc", "nfd", "nfkc", "nfkd", "strip_accents", "lowercase", "strip_left", "strip_right",
  // "collapse_spaces" and what follows it: what runs of two and more spaces become, "replace" and the two texts that
  // follow it. `charsmap` is the table of the step of that name. kUnsupported for another step or too many, kFormat for
  // a table or an argument that is missing.
  static Result<UnigramNormalizer> Read(const std::vector<std::string>& steps, std::string_view charsmap,
                                        const std::string& where);

  // Of well-formed UTF-8; well-formed. kInvalidArgument if a step makes it longer than Charsmap::MostOf.
  Result<std::string> Apply(std::string_view text) const;

 private:
  enum class Kind { kCharsmap, kForm, kStripAccents, kLowercase, kStripLeft, kStripRight, kCollapse, kReplace };
  struct Step {
    Kind kind;
    int form = 0;  // of utf8proc
    std::string from, to;
  };
  Result<std::string> Apply(const Step& step, const std::string& text) const;

  std::vector<Step> steps_;
  std::optional<Charsmap> charsmap_;
};

}  // namespace isoveil
