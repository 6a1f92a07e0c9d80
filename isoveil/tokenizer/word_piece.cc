#include "isoveil/tokenizer/word_piece.h"

#include "isoveil/tokenizer/bert_characters.h"
#include "isoveil/tokenizer/own_keys.h"

namespace isoveil {
namespace {

constexpr std::string_view kMark = "\xe2\x96\x81";  // before a word

bool IsWord(std::string_view token) { return token.starts_with(kMark) && token != kMark; }

}  // namespace

Result<std::optional<WordPiece>> WordPiece::Read(const GgufMetadata& metadata, const std::string& where) {
  if (metadata.Find(kWordPieceKey) == nullptr) return std::nullopt;
  const auto malformed = [&](const char* key, const char* problem) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, key), problem);
  };
  WordPiece made;
  const std::pair<std::string_view, bool*> known[] = {{"clean_text", &made.steps_.clean_text},
                                                      {"chinese_chars", &made.steps_.chinese_chars},
                                                      {"strip_accents", &made.steps_.strip_accents},
                                                      {"lowercase", &made.steps_.lowercase}};
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> steps, metadata.GetStrings(kWordPieceKey));
  for (const std::string& step : steps) {
    bool found = false;
    for (const auto& [name, flag] : known) {
      if (step == name) found = *flag = true;
    }
    if (!found) {
      return Fail(ErrorCode::kUnsupported, fmt::format("{}: {}", where, kWordPieceKey),
                  fmt::format("the step {} has no rule", Quoted(step)), "use a newer version of isoveil");
    }
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> tokens, metadata.GetStrings("tokenizer.ggml.tokens"));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> types, metadata.GetIntegers("tokenizer.ggml.token_type"));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t unknown, metadata.GetUnsigned("tokenizer.ggml.unknown_token_id"));
  if (unknown >= tokens.size()) return malformed("tokenizer.ggml.unknown_token_id", "expected the id of a token");
  made.unknown_ = static_cast<PlainId>(unknown);
  ISOVEIL_ASSIGN_OR_RETURN(made.max_word_, metadata.GetUnsigned(kMaxWordKey));
  if (made.max_word_ > kMaxWord) return malformed(kMaxWordKey, "is too large");
  constexpr int64_t kNormalType = 1;
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (id >= types.size() || types[id] != kNormalType) continue;
    const bool word = IsWord(tokens[id]);
    (word ? made.words_ : made.continuations_)
        .Add(tokens[id].substr(word ? kMark.size() : 0), static_cast<int32_t>(id));
  }
  made.words_.Finish();
  made.continuations_.Finish();
  return made;
}

std::string WordPiece::PieceOf(std::string_view token) {
  return IsWord(token) ? " " + std::string(token.substr(kMark.size())) : std::string(token);
}

// In the order of Hugging Face's BertNormalizer.
std::u32string WordPiece::Normalize(std::string_view text) const {
  std::u32string now;
  for (const char32_t c : CharactersOf(text)) {
    if (steps_.clean_text && IsBertControl(c)) continue;
    const bool ideograph = steps_.chinese_chars && IsBertIdeograph(c);
    if (ideograph) now += U' ';
    now += steps_.clean_text && IsBertSpace(c) ? U' ' : c;
    if (ideograph) now += U' ';
  }
  if (steps_.strip_accents) {
    now = DecomposeForBert(now);
    std::erase_if(now, IsBertAccent);
  }
  if (!steps_.lowercase) return now;
  std::u32string lower;
  for (const char32_t c : now) AppendLowercase(c, lower);
  return lower;
}

void WordPiece::AppendWord(std::u32string_view word, std::vector<PlainId>& ids) const {
  const size_t before = ids.size();
  std::string text;
  if (word.size() <= max_word_) {
    for (const char32_t c : word) AppendUtf8(c, text);
  }
  size_t at = 0;
  while (at < text.size()) {
    const auto [id, length] = (at == 0 ? words_ : continuations_).Longest(std::string_view(text).substr(at));
    if (id < 0) break;
    ids.push_back(PlainId{id});
    at += length;
  }
  if (at == text.size() && !text.empty()) return;
  ids.resize(before);
  ids.push_back(unknown_);
}

void WordPiece::Append(std::string_view text, std::vector<PlainId>& ids) const {
  const std::u32string normal = Normalize(text);
  const std::u32string_view all = normal;
  size_t begin = 0;  // of the word
  for (size_t i = 0; i <= all.size(); ++i) {
    const bool mark = i < all.size() && IsBertPunctuation(all[i]);
    if (i < all.size() && !mark && !IsBertSpace(all[i])) continue;
    if (begin < i) AppendWord(all.substr(begin, i - begin), ids);
    if (mark) AppendWord(all.substr(i, 1), ids);
    begin = i + 1;
  }
}

}  // namespace isoveil
