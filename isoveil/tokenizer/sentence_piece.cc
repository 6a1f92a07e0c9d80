#include "isoveil/tokenizer/sentence_piece.h"

#include <algorithm>
#include <numeric>

#include "isoveil/tokenizer/pair_merging.h"

namespace isoveil {
namespace {

constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581
constexpr int32_t kNone = -1;

// Equal scores have equal ranks.
std::vector<uint32_t> RanksByScore(const std::vector<float>& scores) {
  std::vector<uint32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
  std::vector<uint32_t> ranks(scores.size());
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && scores[order[i]] != scores[order[i - 1]]) ++rank;
    ranks[order[i]] = rank;
  }
  return ranks;
}

}  // namespace

std::string WithSpaceMarks(std::string_view text) {
  std::string marked;
  marked.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ') {
      marked += kSpaceMark;
    } else {
      marked += c;
    }
  }
  return marked;
}

size_t CharacterLength(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return std::min(length, text.size());
}

SentencePiece::SentencePiece(const llama_vocab* vocab, std::shared_ptr<const SpecialPartition> specials)
    : specials_(std::move(specials)),
      bos_(llama_vocab_bos(vocab)),
      eos_(llama_vocab_eos(vocab)),
      adds_bos_(llama_vocab_get_add_bos(vocab)),
      adds_eos_(llama_vocab_get_add_eos(vocab)) {
  std::vector<float> scores;
  for (int32_t id = 0; id < llama_vocab_n_tokens(vocab); ++id) {
    const std::string text = llama_vocab_get_text(vocab, id);
    ids_[text] = id;
    scores.push_back(llama_vocab_get_score(vocab, id));
  }
  ranks_ = RanksByScore(scores);
  for (int byte = 0; byte < 256; ++byte) {
    auto it = ids_.find(fmt::format("<0x{:02X}>", byte));
    if (it == ids_.end()) it = ids_.find(std::string(1, static_cast<char>(byte)));
    bytes_[static_cast<size_t>(byte)] = it == ids_.end() ? kNone : it->second;
  }
}

Status SentencePiece::AppendText(std::string_view text, std::vector<PlainId>& ids) const {
  std::vector<Symbol> symbols;
  symbols.reserve(text.size());
  const auto id_of = [&](size_t begin, size_t size) {
    const auto it = ids_.find(text.substr(begin, size));
    return it == ids_.end() ? kNone : it->second;
  };
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharacterLength(text.substr(at));
    AppendSymbol(symbols, id_of(at, length), at, length);
    at += length;
  }
  MergePairs(symbols, [&](const Symbol& left, const Symbol& right) -> std::optional<Merged> {
    const int32_t id = id_of(left.begin, left.size + right.size);
    if (id == kNone) return std::nullopt;
    return Merged{ranks_[static_cast<size_t>(id)], id};
  });
  bool complete = true;
  ForEachSymbol(symbols, [&](const Symbol& symbol) {
    if (symbol.id != kNone) {
      ids.push_back(PlainId{symbol.id});
      return;
    }
    for (const char byte : text.substr(symbol.begin, symbol.size)) {
      const int32_t id = bytes_[static_cast<unsigned char>(byte)];
      ids.push_back(PlainId{id});
      complete = complete && id != kNone;
    }
  });
  if (!complete) return Fail(ErrorCode::kFormat, "vocabulary", "has no token for a part of the text");
  return Ok();
}

Result<std::vector<PlainId>> SentencePiece::Tokenize(std::string_view text, TokenizeOptions options,
                                                     bool space_prefix) const {
  std::vector<PlainId> ids;
  if (options.add_special && adds_bos_) ids.push_back(PlainId{bos_});
  bool after_special = true;
  for (const TextSpan& span : specials_->Cut(text, options.parse_special)) {
    if (span.token) {
      ids.push_back(*span.token);
    } else {
      std::string marked = WithSpaceMarks(text.substr(span.begin, span.length));
      if (space_prefix && after_special) marked.insert(0, kSpaceMark);
      ISOVEIL_RETURN_IF_ERROR(AppendText(marked, ids));
    }
    after_special = span.token.has_value();
  }
  if (options.add_special && adds_eos_) ids.push_back(PlainId{eos_});
  return ids;
}

}  // namespace isoveil
