// A vocabulary: text to ids and ids to text, exactly as llama.cpp does it; one that from_hf.h made, as
// Hugging Face's `tokenizers` does it (own_keys.h).
//
//   ISOVEIL_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::Load("client/vocabulary.gguf"));
//   ISOVEIL_ASSIGN_OR_RETURN(auto ids, vocabulary.Tokenize("Hello", {.add_special = true}));
//   ISOVEIL_ASSIGN_OR_RETURN(std::string text, vocabulary.Detokenize(ids));      // "Hello"
//
// All ids here are plain ones; VocabCipher turns them into those that the server sees.
//
// A vocabulary is immutable and may be used from many threads. Copies are cheap and share it. Neither
// text nor pieces are ever logged: llama.cpp's log is silenced for the whole process when the first
// vocabulary is loaded, and what it says about a failed load becomes the Error.
//
// What Detokenize means. Every id has a piece, a string of bytes. The text of some ids is the
// concatenation of their pieces, in which ill-formed UTF-8 is replaced by U+FFFD, one for each maximal
// subpart (Unicode, section 3.9, as Rust and Python do). Unknown and control tokens have an empty piece
// unless `special` is set. Words of WordPiece have a space before them, continuations none. Spaces before punctuation
// are left alone ("clean_up_tokenization_spaces" of Hugging Face loses information, and no engine streams it).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"
#include "isoveil/format/gguf.h"

namespace isoveil {

struct TokenizeOptions {
  // Adds what the model expects around a text (BOS, EOS, CLS and SEP), as the vocabulary says.
  bool add_special = false;
  // Text such as "<|im_end|>" becomes the control token. Leave it off for text of a user: otherwise
  // the user can speak for the system.
  bool parse_special = false;
};

// SentencePiece puts a space before the first word when it tokenises; where the ids of a whole text are
// turned back, that space goes again. A continuation of a prompt keeps it: it separates two words.
enum class TextStart { kWholeText, kContinuation };

struct DetokenizeOptions {
  TextStart start = TextStart::kWholeText;
  // Shows control tokens by name.
  bool special = false;
};

enum class TokenKind { kNormal, kControl, kUserDefined, kUnknown, kUnused, kByte };

// The tokenizer's algorithm, as llama.cpp names it.
enum class VocabularyKind { kSentencePiece, kBytePair, kWordPiece, kUnigram, kOther };

// The ids with a meaning of their own; those that the model lacks are empty.
struct SpecialIds {
  std::optional<PlainId> bos, eos, eot, eom, unk, sep, pad, mask;
  std::optional<PlainId> fim_prefix, fim_suffix, fim_middle, fim_pad, fim_repo, fim_separator;
  // Every id that ends a generation, ascending: eos, eot, eom and whatever else llama.cpp recognises by its
  // name; of a vocabulary from Hugging Face, those that it lists. There the fim_* are empty.
  std::vector<PlainId> end_of_generation;
};

// A part of what two texts together become (pair_encoding.h): an id, or one of the texts of own_keys.h, and the type of
// its tokens.
struct PairPart {
  int32_t item;
  int32_t type;
};

class Vocabulary {
 public:
  // Reads the tokenizer of a GGUF file, with or without weights. kFormat for what llama.cpp cannot
  // load, or for tables that contradict each other; kUnsupported for vocabularies without text and for
  // tokenizers other than SentencePiece's BPE, byte-level BPE, WordPiece and Unigram.
  static Result<Vocabulary> Load(const Path& path);

  // The same from metadata in memory; `where` names it in errors. Only the "tokenizer.*"
  // keys, general.name and general.architecture are looked at.
  static Result<Vocabulary> FromMetadata(const GgufMetadata& metadata, std::string where);

  uint64_t n_tokens() const;
  VocabularyKind kind() const;
  const SpecialIds& special_ids() const;
  bool IsEndOfGeneration(PlainId id) const;

  // What TokenizeOptions::add_special adds.
  bool adds_bos() const;
  bool adds_eos() const;
  // A space that the first word of a text shows before it, and that goes again: SentencePiece's, and that of WordPiece
  // from Hugging Face, whose words all have one.
  bool adds_space_prefix() const;

  // Empty if the vocabulary does not say.
  const std::vector<PairPart>& pair_parts() const;

  // The model's own chat template, or empty.
  const std::string& chat_template() const;

  static constexpr size_t kMaxTextBytes = size_t{16} << 20;
  // Byte-level tokenizers take up to 1 KiB of stack for every character of the longest run; see longest_run.h. It is
  // that of a thread made for the purpose.
  static constexpr size_t kMostOfOneKind = size_t{1} << 18;

  // kInvalidArgument unless `text` is well-formed UTF-8 of at most kMaxTextBytes, and, for a byte-level tokenizer, its
  // runs of letters, digits, signs or white space are of at most kMostOfOneKind characters and take no more than
  // seconds with its pre-tokenizer (SlowRunsOf); kFormat if the vocabulary lacks a token for a part of it; kNoMemory.
  // Errors never quote the text.
  Result<std::vector<PlainId>> Tokenize(std::string_view text, TokenizeOptions options = {}) const;
  // The same, with places (ascending) that no special token may lie over, such as where a content spells one.
  Result<std::vector<PlainId>> Tokenize(std::string_view text, TokenizeOptions options,
                                        std::span<const size_t> barriers) const;

  // The bytes of one id, possibly a part of a character; they live as long as the vocabulary.
  // kInvalidArgument for ids outside [0, n_tokens).
  Result<std::string_view> Piece(PlainId id, bool special = false) const;
  // The first non-empty piece of a text as Detokenize shows it: without SentencePiece's space.
  std::string_view StripStart(std::string_view piece, TextStart start) const;
  Result<TokenKind> Kind(PlainId id) const;

  Result<std::string> Detokenize(std::span<const PlainId> ids, DetokenizeOptions options = {}) const;

 private:
  struct Impl;
  explicit Vocabulary(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<const Impl> impl_;
};

}  // namespace isoveil
