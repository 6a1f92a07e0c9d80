#include "isoveil/tokenizer/vocabulary.h"

#include <llama.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "isoveil/base/utf8.h"
#include "isoveil/tokenizer/deep_stack.h"
#include "isoveil/tokenizer/listed_tokens.h"
#include "isoveil/tokenizer/llama_runtime.h"
#include "isoveil/tokenizer/longest_run.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/ranked_merges.h"
#include "isoveil/tokenizer/sentence_piece.h"
#include "isoveil/tokenizer/special_partition.h"
#include "isoveil/tokenizer/text_rules.h"
#include "isoveil/tokenizer/unigram.h"
#include "isoveil/tokenizer/vocabulary_check.h"
#include "isoveil/tokenizer/word_piece.h"

namespace isoveil {
namespace {

struct ModelDeleter {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
using ModelPtr = std::unique_ptr<llama_model, ModelDeleter>;

llama_model_params VocabularyOnly() {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  return params;
}

std::optional<PlainId> Present(llama_token id) {
  if (id < 0) return std::nullopt;
  return PlainId{id};
}

TokenKind KindOf(llama_token_attr attr) {
  if (attr & LLAMA_TOKEN_ATTR_CONTROL) return TokenKind::kControl;
  if (attr & LLAMA_TOKEN_ATTR_USER_DEFINED) return TokenKind::kUserDefined;
  if (attr & LLAMA_TOKEN_ATTR_BYTE) return TokenKind::kByte;
  if (attr & LLAMA_TOKEN_ATTR_UNKNOWN) return TokenKind::kUnknown;
  if (attr & LLAMA_TOKEN_ATTR_UNUSED) return TokenKind::kUnused;
  return TokenKind::kNormal;
}

VocabularyKind KindOf(enum llama_vocab_type type) {
  switch (type) {
    case LLAMA_VOCAB_TYPE_SPM: return VocabularyKind::kSentencePiece;
    case LLAMA_VOCAB_TYPE_BPE: return VocabularyKind::kBytePair;
    case LLAMA_VOCAB_TYPE_WPM: return VocabularyKind::kWordPiece;
    case LLAMA_VOCAB_TYPE_UGM: return VocabularyKind::kUnigram;
    default: return VocabularyKind::kOther;
  }
}

std::string PieceOf(const llama_vocab* vocab, llama_token id, bool special) {
  std::string piece(32, '\0');
  int32_t size = llama_token_to_piece(vocab, id, piece.data(), static_cast<int32_t>(piece.size()), 0, special);
  if (size < 0) {
    piece.resize(static_cast<size_t>(-size));
    size = llama_token_to_piece(vocab, id, piece.data(), -size, 0, special);
  }
  piece.resize(static_cast<size_t>(std::max(size, 0)));
  return piece;
}

// SentencePiece writes U+2581 for a space.
std::string WithSpaces(std::string_view text) {
  constexpr std::string_view kMark = "\xe2\x96\x81";
  std::string spaced;
  for (size_t at = text.find(kMark); at != std::string_view::npos; at = text.find(kMark)) {
    spaced.append(text, 0, at) += ' ';
    text.remove_prefix(at + kMark.size());
  }
  return spaced.append(text);
}

// SentencePiece adds the space unless the vocabulary says otherwise.
bool AddsSpacePrefix(const GgufMetadata& metadata, VocabularyKind kind) {
  const auto flag = metadata.GetBool("tokenizer.ggml.add_space_prefix");
  return flag ? *flag : kind == VocabularyKind::kSentencePiece;
}

// llama.cpp looks at these outside of "tokenizer.*": some tokenizers behave by the name of their model.
bool IsOfInterest(std::string_view key) { return key == "general.name" || key.starts_with("tokenizer."); }

// Every other architecture gives the same vocabulary as "llama" does.
std::string ArchitectureFor(const GgufMetadata& metadata) {
  const auto name = metadata.GetString("general.architecture");
  return name && (*name == "nomic-bert-moe" || *name == "jina-bert-v3") ? *name : "llama";
}

// An anonymous file that holds the metadata alone.
Result<std::FILE*> WriteAnonymous(const GgufMetadata& metadata, const std::string& where) {
  GgufMetadata all;
  all.Set("general.architecture", ArchitectureFor(metadata));
  for (const auto& [key, value] : metadata) {
    if (IsOfInterest(key)) all.Set(key, value);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const FileLayout layout, LayOutGguf(all, {}));
  const int fd = ::memfd_create("vocabulary", MFD_CLOEXEC);
  std::FILE* file = fd < 0 ? nullptr : ::fdopen(fd, "w+b");
  if (file == nullptr) return tl::unexpected(SystemError(where, "cannot make a file in memory"));
  if (std::fwrite(layout.header.data(), 1, layout.header.size(), file) != layout.header.size()) {
    std::fclose(file);
    return Fail(ErrorCode::kNoMemory, where, "cannot fill a file in memory");
  }
  std::rewind(file);
  return file;
}

}  // namespace

struct Vocabulary::Impl {
  ModelPtr model;
  const llama_vocab* vocab = nullptr;
  VocabularyKind kind = VocabularyKind::kOther;
  RunKind run_kind = RunKind::kClasses;
  std::optional<SlowRuns> slow_runs;
  bool adds_space_prefix = false;
  TextRules rules;
  // One of the two where the kind is kSentencePiece.
  std::optional<SentencePiece> sentence_piece;
  std::optional<RankedMerges> merges;
  std::optional<WordPiece> word_piece;  // of Hugging Face's
  std::optional<Unigram> unigram;       // of Hugging Face's
  std::vector<PairPart> pair;
  std::string chat_template;
  bool lists_special_tokens = false;  // the rules find special tokens, not llama.cpp
  SpecialIds special;
  std::vector<TokenKind> kinds;
  std::vector<std::string> pieces;                   // control tokens empty
  std::vector<std::string> special_pieces;           // control tokens by name
  std::shared_ptr<const SpecialPartition> specials;  // of the tokens that llama.cpp finds

  void ReadSpecialIds(const GgufMetadata& metadata);
  void ReadPieces();
  void TakeListed(const ListedTokens& listed);
  Status ReadTextRules(const GgufMetadata& metadata, const std::string& where);
  Status ReadPair(const GgufMetadata& metadata, const std::string& where);
  Status ReadStripping(const GgufMetadata& metadata, const std::string& where);
  Status CheckSlowRuns(std::string_view text) const;
  Result<std::vector<PlainId>> TokenizeText(std::string_view text, TokenizeOptions options) const;
  Status AppendSpan(std::string_view text, const TextSpan& span, std::span<const size_t> barriers,
                    std::vector<PlainId>& ids) const;
  Status CheckSpecialIds(const GgufMetadata& metadata, const std::string& where) const;
};

// Where a key is missing, llama.cpp takes token 11 for both ends of a text: a comma in GPT-2's vocabulary.
void Vocabulary::Impl::ReadSpecialIds(const GgufMetadata& metadata) {
  const auto given = [&](const char* key) { return metadata.Find(key) != nullptr; };
  const auto configured = [&](const char* key) -> std::optional<PlainId> {
    const auto id = metadata.GetUnsigned(key);
    if (!id || *id >= pieces.size()) return std::nullopt;
    return static_cast<PlainId>(*id);
  };
  const bool guesses = kind == VocabularyKind::kBytePair || lists_special_tokens;
  if (!guesses || given("tokenizer.ggml.bos_token_id")) special.bos = Present(llama_vocab_bos(vocab));
  if (!guesses || given("tokenizer.ggml.eos_token_id")) special.eos = Present(llama_vocab_eos(vocab));
  special.eot = Present(llama_vocab_eot(vocab));
  special.eom = configured("tokenizer.ggml.eom_token_id");
  special.unk = configured("tokenizer.ggml.unknown_token_id");
  special.sep =
      lists_special_tokens ? configured("tokenizer.ggml.seperator_token_id") : Present(llama_vocab_sep(vocab));
  special.pad = lists_special_tokens ? configured("tokenizer.ggml.padding_token_id") : Present(llama_vocab_pad(vocab));
  special.mask = lists_special_tokens ? configured("tokenizer.ggml.mask_token_id") : Present(llama_vocab_mask(vocab));
  special.fim_prefix = Present(llama_vocab_fim_pre(vocab));
  special.fim_suffix = Present(llama_vocab_fim_suf(vocab));
  special.fim_middle = Present(llama_vocab_fim_mid(vocab));
  special.fim_pad = Present(llama_vocab_fim_pad(vocab));
  special.fim_repo = Present(llama_vocab_fim_rep(vocab));
  special.fim_separator = Present(llama_vocab_fim_sep(vocab));
  for (llama_token id = 0; id < static_cast<llama_token>(pieces.size()); ++id) {
    if (!llama_vocab_is_eog(vocab, id)) continue;
    const bool guessed = !special.eos && id == llama_vocab_eos(vocab) &&
                         (llama_vocab_get_attr(vocab, id) & LLAMA_TOKEN_ATTR_CONTROL) == 0;
    if (!guessed) special.end_of_generation.push_back(PlainId{id});
  }
}

void Vocabulary::Impl::ReadPieces() {
  for (llama_token id = 0; id < llama_vocab_n_tokens(vocab); ++id) {
    kinds.push_back(KindOf(llama_vocab_get_attr(vocab, id)));
    pieces.push_back(PieceOf(vocab, id, false));
    special_pieces.push_back(PieceOf(vocab, id, true));
  }
  specials = std::make_shared<SpecialPartition>(SpecialTokensOf(vocab));
}

// The true kinds and pieces of tokens that llama.cpp knows under other names, or takes for special.
void Vocabulary::Impl::TakeListed(const ListedTokens& listed) {
  for (size_t id = 0; id < kinds.size(); ++id) {
    const bool guessed = listed.kinds[id] == TokenKind::kNormal && kinds[id] != TokenKind::kNormal;
    kinds[id] = listed.kinds[id];
    if (word_piece && kinds[id] == TokenKind::kNormal) {
      pieces[id] = special_pieces[id] = WordPiece::PieceOf(listed.texts[id]);
      continue;
    }
    if (!guessed && (kinds[id] == TokenKind::kNormal || kinds[id] == TokenKind::kByte)) continue;
    std::string text = kinds[id] == TokenKind::kUnused ? "" : listed.texts[id];
    if (kind == VocabularyKind::kSentencePiece || unigram) text = WithSpaces(text);
    if (word_piece && !text.empty()) text.insert(0, 1, ' ');
    const bool is_control = kinds[id] == TokenKind::kControl || kinds[id] == TokenKind::kUnknown;
    pieces[id] = is_control ? "" : text;
    special_pieces[id] = std::move(text);
  }
  for (size_t id = 0; id < kinds.size(); ++id) {
    const TokenKind k = kinds[id];
    const bool always = k == TokenKind::kUserDefined;
    if (unigram && unigram->Finds(static_cast<PlainId>(id))) continue;
    if (always || k == TokenKind::kControl || k == TokenKind::kUnknown)
      rules.AddSpecial(listed.texts[id], static_cast<PlainId>(id), always);
  }
  special.end_of_generation = listed.ends;
}

// Which special tokens take the white space beside them.
Status Vocabulary::Impl::ReadStripping(const GgufMetadata& metadata, const std::string& where) {
  for (const bool left : {true, false}) {
    const char* key = left ? kStripLeftKey : kStripRightKey;
    if (metadata.Find(key) == nullptr) continue;
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, metadata.GetIntegers(key));
    for (const int64_t id : ids) {
      if (unigram && unigram->Finds(IdOf<PlainId>(id))) continue;
      if (!rules.Strip(id, left))
        return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, key),
                    fmt::format("{} is the id of no special token", id));
    }
  }
  return Ok();
}

Status Vocabulary::Impl::ReadPair(const GgufMetadata& metadata, const std::string& where) {
  if (kind == VocabularyKind::kWordPiece && !lists_special_tokens) {
    const int32_t cls = llama_vocab_bos(vocab), sep = llama_vocab_sep(vocab);
    pair = {{cls, 0}, {kFirstText, 0}, {sep, 0}, {kSecondText, 1}, {sep, 1}};
  }
  if (metadata.Find(kPairKey) == nullptr) return Ok();
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> list, metadata.GetIntegers(kPairKey));
  int64_t texts[2] = {};
  for (size_t i = 0; i + 1 < list.size(); i += 2) {
    if (list[i] < kSecondText || list[i] >= static_cast<int64_t>(pieces.size()) || list[i + 1] < 0 || list[i + 1] > 1)
      break;
    if (list[i] < 0) ++texts[list[i] == kFirstText];
    pair.push_back({static_cast<int32_t>(list[i]), static_cast<int32_t>(list[i + 1])});
  }
  if (lists_special_tokens && 2 * pair.size() == list.size() && texts[0] == 1 && texts[1] == 1) return Ok();
  return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, kPairKey),
              "expected ids with types 0 or 1, and each of both texts once");
}

Status Vocabulary::Impl::ReadTextRules(const GgufMetadata& metadata, const std::string& where) {
  const auto unknown = [&](const char* key, const std::string& value) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{}: {}", where, key),
                fmt::format("the value {} has no rule", Quoted(value)), "use a newer version of isoveil");
  };
  for (const char* key : {kNormalizerKey, kSpacePrefixKey}) {
    if (metadata.Find(key) == nullptr) continue;
    ISOVEIL_ASSIGN_OR_RETURN(const std::string value, metadata.GetString(key));
    if (!lists_special_tokens) return unknown(key, value);
    if (key == kNormalizerKey && value == "nfc") {
      rules.nfc = true;
    } else if (key == kSpacePrefixKey && (value == "first" || value == "each")) {
      rules.space_prefix = value == "first" ? SpacePrefix::kFirst : SpacePrefix::kEach;
    } else {
      return unknown(key, value);
    }
  }
  return ReadStripping(metadata, where);
}

// llama.cpp ends the process when it is to add a token that it does not have.
Status Vocabulary::Impl::CheckSpecialIds(const GgufMetadata& metadata, const std::string& where) const {
  // Isoveil frames texts of a list of Hugging Face's itself.
  const bool frames = kind == VocabularyKind::kWordPiece && !lists_special_tokens;
  const auto require = [&](bool needed, llama_token id, const char* key) -> Status {
    // For a list of Hugging Face's, the ids that llama.cpp takes in place of missing keys are wrong.
    if (!needed || (id >= 0 && (!lists_special_tokens || metadata.Find(key) != nullptr))) return Ok();
    return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, key), "is added to texts, but missing");
  };
  ISOVEIL_RETURN_IF_ERROR(
      require(frames || llama_vocab_get_add_bos(vocab), llama_vocab_bos(vocab), "tokenizer.ggml.bos_token_id"));
  ISOVEIL_RETURN_IF_ERROR(
      require(llama_vocab_get_add_eos(vocab), llama_vocab_eos(vocab), "tokenizer.ggml.eos_token_id"));
  return require(frames, llama_vocab_sep(vocab), "tokenizer.ggml.seperator_token_id");
}

Result<Vocabulary> Vocabulary::Load(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::Open(path));
  return FromMetadata(file.metadata(), path.string());
}

Result<Vocabulary> Vocabulary::FromMetadata(const GgufMetadata& metadata, std::string where) {
  StartLlama();
  ISOVEIL_RETURN_IF_ERROR(CheckVocabularyMetadata(metadata, where));
  ISOVEIL_ASSIGN_OR_RETURN(const std::optional<ListedTokens> listed, ListedTokens::Read(metadata, where));
  GgufMetadata for_llama = metadata;
  if (listed) {
    ISOVEIL_ASSIGN_OR_RETURN(for_llama, listed->HiddenFromLlama(metadata));
    // A hostile list may hold the names that stand for hidden tokens.
    ISOVEIL_RETURN_IF_ERROR(CheckVocabularyMetadata(for_llama, where));
  }
  ISOVEIL_ASSIGN_OR_RETURN(std::FILE * file, WriteAnonymous(for_llama, where));
  TakeLlamaErrors();
  auto impl = std::make_shared<Impl>();
  impl->model.reset(llama_model_load_from_file_ptr(file, VocabularyOnly()));
  std::fclose(file);
  if (impl->model == nullptr) {
    return Fail(ErrorCode::kFormat, where, fmt::format("llama.cpp cannot load the vocabulary: {}", TakeLlamaErrors()));
  }
  impl->vocab = llama_model_get_vocab(impl->model.get());
  impl->kind = KindOf(llama_vocab_type(impl->vocab));
  impl->lists_special_tokens = listed.has_value();
  ISOVEIL_RETURN_IF_ERROR(impl->CheckSpecialIds(metadata, where));
  impl->adds_space_prefix = AddsSpacePrefix(metadata, impl->kind);
  if (const auto name = metadata.GetString("tokenizer.ggml.pre"); name && impl->kind == VocabularyKind::kBytePair) {
    impl->run_kind = RunKindOf(*name);
    impl->slow_runs = SlowRunsOf(*name);
  }
  if (const auto text = metadata.GetString("tokenizer.chat_template")) impl->chat_template = *text;
  impl->ReadPieces();
  impl->ReadSpecialIds(metadata);
  ISOVEIL_ASSIGN_OR_RETURN(impl->word_piece, WordPiece::Read(metadata, where));
  if (impl->word_piece.has_value() != (listed && impl->kind == VocabularyKind::kWordPiece)) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, kWordPieceKey),
                "belongs to WordPiece with listed special tokens, and to no other");
  }
  ISOVEIL_ASSIGN_OR_RETURN(impl->unigram, Unigram::Read(metadata, where));
  if (impl->unigram.has_value() != (listed && impl->kind == VocabularyKind::kUnigram)) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, kUnigramKey),
                "belongs to Unigram with listed special tokens, and to no other");
  }
  if (impl->word_piece || impl->unigram) impl->adds_space_prefix = true;
  if (listed) impl->TakeListed(*listed);
  ISOVEIL_RETURN_IF_ERROR(impl->ReadPair(metadata, where));
  ISOVEIL_ASSIGN_OR_RETURN(impl->merges, RankedMerges::Read(metadata, where));
  if (impl->merges && !(listed && impl->kind == VocabularyKind::kSentencePiece)) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, kMergesKey),
                "belongs to SentencePiece's tokenizer with listed special tokens, and this is another");
  }
  if (impl->kind == VocabularyKind::kSentencePiece && !impl->merges)
    impl->sentence_piece.emplace(impl->vocab, impl->specials);
  ISOVEIL_RETURN_IF_ERROR(impl->ReadTextRules(metadata, where));
  return Vocabulary(std::move(impl));
}

uint64_t Vocabulary::n_tokens() const { return impl_->pieces.size(); }
VocabularyKind Vocabulary::kind() const { return impl_->kind; }
const SpecialIds& Vocabulary::special_ids() const { return impl_->special; }
bool Vocabulary::IsEndOfGeneration(PlainId id) const {
  const std::vector<PlainId>& ends = impl_->special.end_of_generation;
  return std::binary_search(ends.begin(), ends.end(), id);
}
bool Vocabulary::adds_bos() const { return llama_vocab_get_add_bos(impl_->vocab); }
bool Vocabulary::adds_eos() const { return llama_vocab_get_add_eos(impl_->vocab); }
bool Vocabulary::adds_space_prefix() const {
  return impl_->adds_space_prefix || impl_->rules.space_prefix != SpacePrefix::kNone;
}
const std::vector<PairPart>& Vocabulary::pair_parts() const { return impl_->pair; }
const std::string& Vocabulary::chat_template() const { return impl_->chat_template; }

namespace {

// llama.cpp's splitting takes 650 bytes of stack for every character of a long run, measured with GCC 12; without
// optimisation or with the address sanitizer's margins it takes several times that.
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
constexpr size_t kStackPerCharacter = 8192;
#else
constexpr size_t kStackPerCharacter = 1024;
#endif
constexpr size_t kShortText = 2048;

// One call of llama.cpp; a missing byte token is an exception there.
Result<std::vector<PlainId>> CallTokenize(const llama_vocab* vocab, std::string_view text, TokenizeOptions options) {
  std::vector<llama_token> ids(text.size() / 2 + 16);
  const auto tokenize = [&] {
    return llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), ids.data(),
                          static_cast<int32_t>(ids.size()), options.add_special, options.parse_special);
  };
  try {
    int32_t count = tokenize();
    if (count < 0) {
      ids.resize(static_cast<size_t>(-static_cast<int64_t>(count)));
      count = tokenize();
    }
    ids.resize(static_cast<size_t>(std::max(count, 0)));
  } catch (const std::exception&) {
    return Fail(ErrorCode::kFormat, "vocabulary", "has no token for a part of the text");
  }
  const auto n_tokens = llama_vocab_n_tokens(vocab);
  if (std::any_of(ids.begin(), ids.end(), [&](llama_token id) { return id < 0 || id >= n_tokens; })) {
    return Fail(ErrorCode::kFormat, "vocabulary", "has no token for a part of the text");
  }
  std::vector<PlainId> plain;
  plain.reserve(ids.size());
  for (const llama_token id : ids) plain.push_back(PlainId{id});
  return plain;
}

}  // namespace

Status Vocabulary::Impl::CheckSlowRuns(std::string_view text) const {
  const uint64_t squares = slow_runs ? SquaresOfRuns(text, *slow_runs) : 0;
  if (!slow_runs || squares <= slow_runs->most) return Ok();
  return Fail(ErrorCode::kInvalidArgument, "text",
              fmt::format("runs of {} take llama.cpp's pre-tokenizer {} too long: expected squares of their lengths of "
                          "at most {} together, found {}",
                          slow_runs->what, slow_runs->pre_tokenizer, slow_runs->most, squares),
              "break them");
}

Result<std::vector<PlainId>> Vocabulary::Impl::TokenizeText(std::string_view text, TokenizeOptions options) const {
  if (word_piece) {
    std::vector<PlainId> ids;
    word_piece->Append(text, ids);
    return ids;
  }
  if (unigram) {
    std::vector<PlainId> ids;
    ISOVEIL_RETURN_IF_ERROR(unigram->Append(text, options.parse_special, ids));
    return ids;
  }
  if (merges) {
    std::vector<PlainId> ids;
    merges->Append(WithSpaceMarks((adds_space_prefix ? " " : "") + std::string(text)), ids);
    return ids;
  }
  if (sentence_piece) return sentence_piece->Tokenize(text, options, adds_space_prefix);
  if (kind != VocabularyKind::kBytePair || text.size() <= kShortText) {
    return CallTokenize(vocab, text, options);
  }
  const size_t longest = LongestRun(text, run_kind);
  if (longest > kMostOfOneKind) {
    return Fail(ErrorCode::kInvalidArgument, "text",
                fmt::format("expected at most {} letters, digits, signs or spaces side by side, found {}",
                            kMostOfOneKind, longest),
                "break it with spaces or new lines");
  }
  // White space may follow in the same match.
  const size_t deepest = std::min(text.size(), 2 * longest + kShortText);
  Result<std::vector<PlainId>> ids;
  ISOVEIL_RETURN_IF_ERROR(
      RunOnStack(deepest * kStackPerCharacter + (size_t{1} << 20), [&] { ids = CallTokenize(vocab, text, options); }));
  return ids;
}

// The text between two special tokens. llama.cpp finds tokens of the kind "user-defined" in every text; one that begins
// at a barrier is cut behind its first character.
Status Vocabulary::Impl::AppendSpan(std::string_view text, const TextSpan& span, std::span<const size_t> barriers,
                                    std::vector<PlainId>& ids) const {
  const size_t end = span.begin + span.length;
  for (size_t begin = span.begin; begin < end;) {
    size_t cut = NextBarrier(barriers, begin, end);
    while (cut < end) {
      const bool found = specials->BeginsOne(text.substr(cut), /*parse_special=*/false);
      const size_t barrier = cut++;
      while (cut < end && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) ++cut;
      if (found) break;
      cut = NextBarrier(barriers, barrier + 1, end);
    }
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<PlainId> part, TokenizeText(text.substr(begin, cut - begin), {}));
    ids.insert(ids.end(), part.begin(), part.end());
    begin = cut;
  }
  return Ok();
}

Result<std::vector<PlainId>> Vocabulary::Tokenize(std::string_view text, TokenizeOptions options) const {
  return Tokenize(text, options, {});
}

Result<std::vector<PlainId>> Vocabulary::Tokenize(std::string_view text, TokenizeOptions options,
                                                  std::span<const size_t> barriers) const {
  if (text.size() > kMaxTextBytes || !IsUtf8(text)) {
    return Fail(ErrorCode::kInvalidArgument, "text",
                fmt::format("expected well-formed UTF-8 of at most {} bytes", kMaxTextBytes));
  }
  ISOVEIL_RETURN_IF_ERROR(impl_->CheckSlowRuns(text));
  const bool listed = impl_->lists_special_tokens;
  if (!listed && (barriers.empty() || !options.parse_special)) return impl_->TokenizeText(text, options);
  // llama.cpp frames every text of this kind.
  const bool frames = impl_->kind == VocabularyKind::kWordPiece && !listed;
  std::vector<PlainId> ids;
  if (options.add_special && (adds_bos() || frames)) ids.push_back(PlainId{llama_vocab_bos(impl_->vocab)});
  if (listed) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<TextSection> sections,
                             impl_->rules.Apply(text, options.parse_special, barriers));
    for (const TextSection& section : sections) {
      if (section.token) {
        ids.push_back(*section.token);
        continue;
      }
      // Barriers lie in the text as it is.
      const bool parse_special = impl_->unigram && options.parse_special && barriers.empty();
      ISOVEIL_ASSIGN_OR_RETURN(const std::vector<PlainId> part,
                               impl_->TokenizeText(section.text, {.parse_special = parse_special}));
      ids.insert(ids.end(), part.begin(), part.end());
    }
  } else {
    for (const TextSpan& span : impl_->specials->Cut(text, /*parse_special=*/true, barriers)) {
      if (span.token) {
        ids.push_back(*span.token);
      } else {
        ISOVEIL_RETURN_IF_ERROR(impl_->AppendSpan(text, span, barriers, ids));
      }
    }
  }
  if (options.add_special && frames) ids.push_back(PlainId{llama_vocab_sep(impl_->vocab)});
  if (options.add_special && adds_eos() && !frames) ids.push_back(PlainId{llama_vocab_eos(impl_->vocab)});
  return ids;
}

Result<std::string_view> Vocabulary::Piece(PlainId id, bool special) const {
  const auto& pieces = special ? impl_->special_pieces : impl_->pieces;
  if (Value(id) < 0 || static_cast<size_t>(id) >= pieces.size()) {
    return Fail(ErrorCode::kInvalidArgument, "token id", fmt::format("expected 0 to {}", pieces.size() - 1));
  }
  return std::string_view(pieces[static_cast<size_t>(id)]);
}

std::string_view Vocabulary::StripStart(std::string_view piece, TextStart start) const {
  const bool strip = start == TextStart::kWholeText && adds_space_prefix() && piece.starts_with(' ');
  return strip ? piece.substr(1) : piece;
}

Result<TokenKind> Vocabulary::Kind(PlainId id) const {
  if (Value(id) < 0 || static_cast<size_t>(id) >= impl_->pieces.size()) {
    return Fail(ErrorCode::kInvalidArgument, "token id", fmt::format("expected 0 to {}", impl_->pieces.size() - 1));
  }
  return impl_->kinds[static_cast<size_t>(id)];
}

Result<std::string> Vocabulary::Detokenize(std::span<const PlainId> ids, DetokenizeOptions options) const {
  std::string bytes;
  bool at_start = true;
  for (const PlainId id : ids) {
    ISOVEIL_ASSIGN_OR_RETURN(std::string_view piece, Piece(id, options.special));
    if (at_start) {
      const bool empty = piece.empty();
      piece = StripStart(piece, options.start);
      at_start = empty;
    }
    bytes += piece;
  }
  return RepairUtf8(bytes);
}

}  // namespace isoveil
