#include "isoveil/tokenizer/detokenizer.h"

#include <utility>

namespace isoveil {

IncrementalDetokenizer::IncrementalDetokenizer(Vocabulary vocabulary, DetokenizeOptions options)
    : vocabulary_(std::move(vocabulary)), options_(options) {}

Result<std::string> IncrementalDetokenizer::Append(PlainId id) {
  ISOVEIL_ASSIGN_OR_RETURN(std::string_view piece, vocabulary_.Piece(id, options_.special));
  if (at_start_) {
    const bool empty = piece.empty();
    piece = vocabulary_.StripStart(piece, options_.start);
    at_start_ = empty;
  }
  std::string text;
  repair_.Append(piece, text);
  return text;
}

std::string IncrementalDetokenizer::Finish() {
  std::string text;
  repair_.Finish(text);
  at_start_ = true;
  return text;
}

}  // namespace isoveil
