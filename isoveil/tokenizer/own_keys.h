// What Isoveil adds to the "tokenizer.*" keys of a client's vocabulary, because llama.cpp has no words for
// it. llama.cpp passes over these keys. Written by from_hf.cc, read by vocabulary.cc.
#pragma once

namespace isoveil {

// "nfc": text between special tokens is brought to normal form C before it is split.
inline constexpr char kNormalizerKey[] = "tokenizer.isoveil.normalizer";

// "first": a space is put before the text, unless it begins with a space or a special token
// (Metaspace with prepend_scheme "first"). llama.cpp's own rule also does so after every special token.
inline constexpr char kSpacePrefixKey[] = "tokenizer.isoveil.space_prefix";

// Tokens that stand in the list under another name, and their true pieces. llama.cpp takes a token that is
// called "</s>" for the end of a generation even where it is an ordinary word of the vocabulary.
inline constexpr char kRenamedIdsKey[] = "tokenizer.isoveil.renamed_ids";
inline constexpr char kRenamedPiecesKey[] = "tokenizer.isoveil.renamed_pieces";

}  // namespace isoveil
