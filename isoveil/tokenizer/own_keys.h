// What Isoveil adds to the "tokenizer.*" keys of a client's vocabulary, because llama.cpp has no words for
// it. llama.cpp passes over these keys. Written by from_hf_*.cc, read by vocabulary.cc.
#pragma once

#include <cstdint>

namespace isoveil {

// "listed": the special tokens are exactly those of tokenizer.ggml.token_type, and where several begin in a
// text the longest is taken, as Hugging Face does it. llama.cpp alone also takes tokens for special by
// their names ("</s>", "<|channel|>"), wherever they come from.
inline constexpr char kSpecialTokensKey[] = "tokenizer.isoveil.special_tokens";

// The score of tokens that no merge makes; all others have more.
inline constexpr float kNeverMerged = -1e9F;

// The ids that end a generation, EOS first. llama.cpp has keys for three and guesses others by name.
inline constexpr char kEndsKey[] = "tokenizer.isoveil.end_of_generation";

// "nfc": text between special tokens is brought to normal form C before it is split.
inline constexpr char kNormalizerKey[] = "tokenizer.isoveil.normalizer";

// Metaspace of Hugging Face, where tokenizer.ggml.add_space_prefix is false. "first": a space is put before
// the text, unless it begins with a space or a special token. "each": also after every special token.
// llama.cpp's own rule puts a space there even where there is one.
inline constexpr char kSpacePrefixKey[] = "tokenizer.isoveil.space_prefix";

// The merges of Hugging Face's BPE with byte fallback, in order: the ids of the left and of the right part, in
// turn. tokenizer.ggml.scores then serve llama.cpp alone.
inline constexpr char kMergesKey[] = "tokenizer.isoveil.merges";

// The ids of special tokens that take the white space before them, and behind them, with them.
inline constexpr char kStripLeftKey[] = "tokenizer.isoveil.strip_left";
inline constexpr char kStripRightKey[] = "tokenizer.isoveil.strip_right";

// What two texts together become, in order: pairs of an id, or one of the texts, and the type of its tokens.
inline constexpr char kPairKey[] = "tokenizer.isoveil.pair";
inline constexpr int32_t kFirstText = -1;
inline constexpr int32_t kSecondText = -2;

// WordPiece of Hugging Face (word_piece.h): what its normalizer does, any of "clean_text", "chinese_chars",
// "strip_accents" and "lowercase". tokenizer.ggml.tokens are as llama.cpp writes them: a word has U+2581 before it, a
// continuation has nothing; llama.cpp's own rule always does all four.
inline constexpr char kWordPieceKey[] = "tokenizer.isoveil.word_piece";
// The characters of the longest word that is looked up.
inline constexpr char kMaxWordKey[] = "tokenizer.isoveil.max_word";

// Unigram of Hugging Face (unigram.h): the steps of its normalizer, as unigram_normalizer.h has them.
inline constexpr char kUnigramKey[] = "tokenizer.isoveil.unigram";
// "words": text is cut at white space; "start": U+2581 is put before a text, or each word.
inline constexpr char kUnigramCutsKey[] = "tokenizer.isoveil.unigram_cuts";
// The scores of all tokens in fp64, and the least of those of the model: tokenizer.ggml.scores are rounded.
inline constexpr char kUnigramScoresKey[] = "tokenizer.isoveil.unigram_scores";
inline constexpr char kUnigramLeastKey[] = "tokenizer.isoveil.unigram_least";
// The ids of special tokens that are looked for in normalised text, by their normalised text.
inline constexpr char kNormalizedTokensKey[] = "tokenizer.isoveil.normalized_tokens";
// GGUF's own, for the step "charsmap".
inline constexpr char kCharsmapKey[] = "tokenizer.ggml.precompiled_charsmap";

}  // namespace isoveil
