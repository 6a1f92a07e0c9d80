// What holds of every vocabulary that is accepted, whatever it was made of.
#pragma once

#include <array>

#include "isoveil/base/utf8.h"
#include "isoveil/tokenizer/vocabulary.h"
#include "tests/fuzz/require.h"

namespace isoveil {

inline void RequireIds(const Vocabulary& vocabulary, std::span<const PlainId> ids) {
  for (const PlainId id : ids) {
    Require(Value(id) >= 0 && static_cast<uint64_t>(Value(id)) < vocabulary.n_tokens(),
            "ids are ids of the vocabulary");
  }
}

inline void RequireProperties(const Vocabulary& vocabulary) {
  const SpecialIds& special = vocabulary.special_ids();
  RequireIds(vocabulary, special.end_of_generation);
  for (const auto& id :
       {special.bos, special.eos, special.eot, special.eom, special.unk, special.sep, special.pad, special.mask}) {
    if (id) RequireIds(vocabulary, std::array{*id});
  }
  for (const std::string_view text :
       {"", " a he  llo\n<|im_end|>hello </s> ab", "\xc3\xbc\xe2\x96\x81 \xf0\x9f\x98\x80 123 it's"}) {
    for (const bool parse_special : {false, true}) {
      const auto ids = vocabulary.Tokenize(text, {.add_special = parse_special, .parse_special = parse_special});
      if (!ids) continue;
      RequireIds(vocabulary, *ids);
      for (const bool show : {false, true}) {
        const auto again = vocabulary.Detokenize(*ids, {.special = show});
        Require(again.has_value(), "what was tokenized has a text");
        Require(IsUtf8(*again), "a text is UTF-8");
      }
    }
  }
  for (uint64_t id = 0; id < vocabulary.n_tokens(); ++id) {
    const PlainId plain{static_cast<int32_t>(id)};
    Require(vocabulary.Piece(plain).has_value() && vocabulary.Piece(plain, true).has_value(), "every id has a piece");
    Require(vocabulary.Kind(plain).has_value(), "every id has a kind");
  }
}

}  // namespace isoveil
