#include "isoveil/tokenizer/vocabulary.h"

#include <llama.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

#include "isoveil/tokenizer/llama_runtime.h"
#include "isoveil/tokenizer/utf8.h"

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

std::optional<TokenId> Present(llama_token id) {
  if (id < 0) return std::nullopt;
  return id;
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

std::string PieceOf(const llama_vocab* vocab, TokenId id, bool special) {
  std::string piece(32, '\0');
  int32_t size =
      llama_token_to_piece(vocab, id, piece.data(), static_cast<int32_t>(piece.size()), 0, special);
  if (size < 0) {
    piece.resize(static_cast<size_t>(-size));
    size = llama_token_to_piece(vocab, id, piece.data(), -size, 0, special);
  }
  piece.resize(static_cast<size_t>(std::max(size, 0)));
  return piece;
}

// SentencePiece adds the space unless the vocabulary says otherwise.
bool AddsSpacePrefix(const GgufMetadata& metadata, VocabularyKind kind) {
  const auto flag = metadata.GetBool("tokenizer.ggml.add_space_prefix");
  return flag ? *flag : kind == VocabularyKind::kSentencePiece;
}

// An anonymous file that holds the metadata alone.
Result<std::FILE*> WriteAnonymous(const GgufMetadata& metadata, const std::string& where) {
  GgufMetadata all;
  all.Set("general.architecture", std::string("llama"));
  for (const auto& [key, value] : metadata) {
    if (key.starts_with("general.") || key.starts_with("tokenizer.")) all.Set(key, value);
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
  bool adds_space_prefix = false;
  std::string chat_template;
  SpecialIds special;
  std::vector<std::string> pieces;          // control tokens empty
  std::vector<std::string> special_pieces;  // control tokens by name
};

Result<Vocabulary> Vocabulary::Load(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::Open(path));
  return FromMetadata(file.metadata(), path.string());
}

Result<Vocabulary> Vocabulary::FromMetadata(const GgufMetadata& metadata, std::string where) {
  StartLlama();
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> tokens,
                           metadata.GetStrings("tokenizer.ggml.tokens"));
  if (tokens.empty() || tokens.size() > kMaxVocabulary) {
    return Fail(ErrorCode::kFormat, where + ": tokenizer.ggml.tokens",
                fmt::format("expected 1 to {} tokens, found {}", kMaxVocabulary, tokens.size()));
  }
  for (const char* key : {"tokenizer.ggml.scores", "tokenizer.ggml.token_type"}) {
    const GgufValue* list = metadata.Find(key);
    const size_t size = list == nullptr ? tokens.size()
                                        : std::visit(
                                              [](const auto& v) -> size_t {
                                                if constexpr (requires { v.size(); }) return v.size();
                                                return 0;
                                              },
                                              *list);
    if (size != tokens.size()) {
      return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, key),
                  fmt::format("expected {} entries, one for each token, found {}", tokens.size(), size));
    }
  }
  ISOVEIL_ASSIGN_OR_RETURN(std::FILE * file, WriteAnonymous(metadata, where));
  TakeLlamaErrors();
  auto impl = std::make_shared<Impl>();
  impl->model.reset(llama_model_load_from_file_ptr(file, VocabularyOnly()));
  std::fclose(file);
  if (impl->model == nullptr) {
    return Fail(ErrorCode::kFormat, where,
                fmt::format("llama.cpp cannot load the vocabulary: {}", TakeLlamaErrors()));
  }
  const llama_vocab* vocab = impl->vocab = llama_model_get_vocab(impl->model.get());
  impl->kind = KindOf(llama_vocab_type(vocab));
  if (impl->kind == VocabularyKind::kOther) {
    return Fail(ErrorCode::kUnsupported, where, "the vocabulary holds no text");
  }
  impl->adds_space_prefix = AddsSpacePrefix(metadata, impl->kind);
  if (const auto text = metadata.GetString("tokenizer.chat_template")) impl->chat_template = *text;
  SpecialIds& special = impl->special;
  special.bos = Present(llama_vocab_bos(vocab));
  special.eos = Present(llama_vocab_eos(vocab));
  special.eot = Present(llama_vocab_eot(vocab));
  special.sep = Present(llama_vocab_sep(vocab));
  special.pad = Present(llama_vocab_pad(vocab));
  special.mask = Present(llama_vocab_mask(vocab));
  special.fim_prefix = Present(llama_vocab_fim_pre(vocab));
  special.fim_suffix = Present(llama_vocab_fim_suf(vocab));
  special.fim_middle = Present(llama_vocab_fim_mid(vocab));
  special.fim_pad = Present(llama_vocab_fim_pad(vocab));
  special.fim_repo = Present(llama_vocab_fim_rep(vocab));
  special.fim_separator = Present(llama_vocab_fim_sep(vocab));
  for (TokenId id = 0; id < llama_vocab_n_tokens(vocab); ++id) {
    if (llama_vocab_is_eog(vocab, id)) special.end_of_generation.push_back(id);
    impl->pieces.push_back(PieceOf(vocab, id, false));
    impl->special_pieces.push_back(PieceOf(vocab, id, true));
  }
  return Vocabulary(std::move(impl));
}

uint64_t Vocabulary::n_tokens() const { return impl_->pieces.size(); }
VocabularyKind Vocabulary::kind() const { return impl_->kind; }
const SpecialIds& Vocabulary::special_ids() const { return impl_->special; }
bool Vocabulary::IsEndOfGeneration(TokenId id) const { return llama_vocab_is_eog(impl_->vocab, id); }
bool Vocabulary::adds_bos() const { return llama_vocab_get_add_bos(impl_->vocab); }
bool Vocabulary::adds_eos() const { return llama_vocab_get_add_eos(impl_->vocab); }
bool Vocabulary::adds_space_prefix() const { return impl_->adds_space_prefix; }
const std::string& Vocabulary::chat_template() const { return impl_->chat_template; }

Result<std::vector<TokenId>> Vocabulary::Tokenize(std::string_view text, TokenizeOptions options) const {
  constexpr size_t kMaxText = size_t{1} << 30;
  if (text.size() >= kMaxText || !IsUtf8(text)) {
    return Fail(ErrorCode::kInvalidArgument, "text", "expected well-formed UTF-8 of less than 1 GiB");
  }
  std::vector<TokenId> ids(text.size() / 2 + 16);
  const auto tokenize = [&] {
    return llama_tokenize(impl_->vocab, text.data(), static_cast<int32_t>(text.size()), ids.data(),
                          static_cast<int32_t>(ids.size()), options.add_special, options.parse_special);
  };
  int32_t count = tokenize();
  if (count < 0) {
    ids.resize(static_cast<size_t>(-static_cast<int64_t>(count)));
    count = tokenize();
  }
  if (count < 0) return Fail(ErrorCode::kInvalidArgument, "text", "is too long to be tokenized");
  ids.resize(static_cast<size_t>(count));
  return ids;
}

Result<std::string_view> Vocabulary::Piece(TokenId id, bool special) const {
  const auto& pieces = special ? impl_->special_pieces : impl_->pieces;
  if (id < 0 || static_cast<size_t>(id) >= pieces.size()) {
    return Fail(ErrorCode::kInvalidArgument, "token id", fmt::format("expected 0 to {}", pieces.size() - 1));
  }
  return std::string_view(pieces[static_cast<size_t>(id)]);
}

std::string_view Vocabulary::StripStart(std::string_view piece, TextStart start) const {
  const bool strip = start == TextStart::kWholeText && impl_->adds_space_prefix && piece.starts_with(' ');
  return strip ? piece.substr(1) : piece;
}

Result<TokenKind> Vocabulary::Kind(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= impl_->pieces.size()) {
    return Fail(ErrorCode::kInvalidArgument, "token id",
                fmt::format("expected 0 to {}", impl_->pieces.size() - 1));
  }
  return KindOf(llama_vocab_get_attr(impl_->vocab, id));
}

Result<std::string> Vocabulary::Detokenize(std::span<const TokenId> ids, DetokenizeOptions options) const {
  std::string bytes;
  bool at_start = true;
  for (const TokenId id : ids) {
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
