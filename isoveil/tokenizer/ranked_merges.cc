#include "isoveil/tokenizer/ranked_merges.h"

#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/sentence_piece.h"
#include "isoveil/tokenizer/vocabulary_check.h"

namespace isoveil {
namespace {

constexpr int64_t kUnknownType = 2;
constexpr int64_t kControlType = 3;
constexpr int64_t kUnusedType = 5;

uint64_t PairOf(int64_t left, int64_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right);
}

}  // namespace

Result<std::optional<RankedMerges>> RankedMerges::Read(const GgufMetadata& metadata, const std::string& where) {
  if (metadata.Find(kMergesKey) == nullptr) return std::nullopt;
  RankedMerges merges;
  ISOVEIL_RETURN_IF_ERROR(merges.ReadTokens(metadata, where));
  ISOVEIL_RETURN_IF_ERROR(merges.ReadMerges(metadata, where));
  return merges;
}

Status RankedMerges::ReadTokens(const GgufMetadata& metadata, const std::string& where) {
  ISOVEIL_ASSIGN_OR_RETURN(const auto texts, metadata.GetStrings("tokenizer.ggml.tokens"));
  ISOVEIL_ASSIGN_OR_RETURN(const auto types, metadata.GetIntegers("tokenizer.ggml.token_type"));
  for (size_t id = 0; id < texts.size(); ++id) {
    if (types[id] == kUnknownType || types[id] == kControlType || types[id] == kUnusedType) continue;
    ids_.emplace(texts[id], static_cast<int32_t>(id));
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto it = ids_.find(fmt::format("<0x{:02X}>", byte));
    if (it == ids_.end()) {
      return Fail(ErrorCode::kFormat, where + ": tokenizer.ggml.tokens",
                  fmt::format("expected a token <0x{:02X}>, which is missing", byte));
    }
    bytes_[static_cast<size_t>(byte)] = it->second;
  }
  return Ok();
}

// Merges of which one part or the whole is a control token have no effect: text never becomes one.
Status RankedMerges::ReadMerges(const GgufMetadata& metadata, const std::string& where) {
  ISOVEIL_ASSIGN_OR_RETURN(const auto texts, metadata.GetStrings("tokenizer.ggml.tokens"));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> pairs, metadata.GetIntegers(kMergesKey));
  const std::string place = fmt::format("{}: {}", where, kMergesKey);
  if (pairs.size() % 2 != 0)
    return Fail(ErrorCode::kFormat, place, fmt::format("expected pairs, found {} ids", pairs.size()));
  merges_.reserve(pairs.size() / 2);
  const auto n_tokens = static_cast<int64_t>(texts.size());
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const int64_t left = pairs[i], right = pairs[i + 1];
    if (left < 0 || left >= n_tokens || right < 0 || right >= n_tokens) {
      return Fail(ErrorCode::kFormat, place,
                  fmt::format("pair {}: expected ids below {}, found {} and {}", i / 2, n_tokens, left, right));
    }
    const auto it = ids_.find(texts[static_cast<size_t>(left)] + texts[static_cast<size_t>(right)]);
    if (it == ids_.end()) continue;
    // Of a pair that is there twice, the last counts.
    merges_[PairOf(left, right)] = {static_cast<uint32_t>(i / 2), it->second};
  }
  return Ok();
}

void RankedMerges::AppendCharacter(std::string_view text, size_t at, size_t length,
                                   std::vector<Symbol>& symbols) const {
  if (const auto it = ids_.find(text.substr(at, length)); it != ids_.end()) {
    AppendSymbol(symbols, it->second, at, length);
    return;
  }
  for (size_t i = at; i < at + length; ++i) AppendSymbol(symbols, bytes_[static_cast<unsigned char>(text[i])], i, 1);
}

void RankedMerges::Append(std::string_view text, std::vector<PlainId>& ids) const {
  std::vector<Symbol> symbols;
  symbols.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharacterLength(text.substr(at));
    AppendCharacter(text, at, length, symbols);
    at += length;
  }
  MergePairs(symbols, [&](const Symbol& left, const Symbol& right) -> std::optional<Merged> {
    const auto it = merges_.find(PairOf(left.id, right.id));
    if (it == merges_.end()) return std::nullopt;
    return it->second;
  });
  ForEachSymbol(symbols, [&](const Symbol& symbol) { ids.push_back(PlainId{symbol.id}); });
}

}  // namespace isoveil
