// Ids to text as they arrive.
//
//   IncrementalDetokenizer detokenizer(vocabulary, {.start = TextStart::kContinuation});
//   for (PlainId id : stream) {
//     ISOVEIL_ASSIGN_OR_RETURN(std::string text, detokenizer.Append(id));
//     if (!text.empty()) Send(text);          // whole characters only
//   }
//   Send(detokenizer.Finish());
//
// For all ids and every vocabulary, the concatenation of what Append and Finish return equals
// Vocabulary::Detokenize of all ids with the same options. A character whose bytes are spread over
// several tokens appears with the token that completes it.
//
// A detokenizer serves one stream from one thread at a time. It shares the vocabulary.
#pragma once

#include <string>

#include "isoveil/base/utf8.h"
#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {

class IncrementalDetokenizer {
 public:
  explicit IncrementalDetokenizer(Vocabulary vocabulary, DetokenizeOptions options = {});

  // The characters that `id` completes; often empty. kInvalidArgument for an id outside the
  // vocabulary, which leaves the stream as it was.
  Result<std::string> Append(PlainId id);

  // What is held back, as U+FFFD, and then a fresh start.
  std::string Finish();

 private:
  Vocabulary vocabulary_;
  DetokenizeOptions options_;
  Utf8Repair repair_;
  bool at_start_ = true;  // nothing but empty pieces so far
};

}  // namespace isoveil
