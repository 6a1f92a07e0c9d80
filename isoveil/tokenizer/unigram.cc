#include "isoveil/tokenizer/unigram.h"

#include <algorithm>

#include "isoveil/tokenizer/bert_characters.h"
#include "isoveil/tokenizer/hf_conversion.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/sentence_piece.h"
#include "isoveil/tokenizer/text_rules.h"

namespace isoveil {
namespace {

constexpr std::string_view kMark = "\xe2\x96\x81";
constexpr double kUnknownPenalty = 10;
// Each is compared with every place of a text.
constexpr size_t kMostNormalized = 64;

// The length of the character that begins with this byte, of well-formed UTF-8.
size_t LengthOf(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// Words between white space, without it.
std::vector<std::string> WordsOf(const std::string& text) {
  std::vector<std::string> words;
  bool in_word = false;
  for (const char32_t c : CharactersOf(text)) {
    if (IsBertSpace(c)) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    AppendUtf8(c, words.back());
  }
  return words;
}

}  // namespace

Result<std::optional<Unigram>> Unigram::Read(const GgufMetadata& metadata, const std::string& where) {
  if (metadata.Find(kUnigramKey) == nullptr) return std::nullopt;
  const auto malformed = [&](const char* key, const char* problem) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, key), problem);
  };
  Unigram made;
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> steps, metadata.GetStrings(kUnigramKey));
  std::string charsmap;
  if (metadata.Find(kCharsmapKey) != nullptr) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> bytes, metadata.GetIntegers(kCharsmapKey));
    for (const int64_t byte : bytes) charsmap += static_cast<char>(byte);
  }
  ISOVEIL_ASSIGN_OR_RETURN(made.normalizer_,
                           UnigramNormalizer::Read(steps, charsmap, fmt::format("{}: {}", where, kUnigramKey)));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> cuts, metadata.GetStrings(kUnigramCutsKey));
  for (const std::string& cut : cuts) {
    if (cut != "words" && cut != "start") return malformed(kUnigramCutsKey, "names a rule that is not known");
    (cut == "words" ? made.cuts_words_ : made.marks_start_) = true;
  }
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<std::string> tokens, metadata.GetStrings("tokenizer.ggml.tokens"));
  ISOVEIL_RETURN_IF_ERROR(made.ReadSpecial(metadata, tokens, where));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> types, metadata.GetIntegers("tokenizer.ggml.token_type"));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t unknown, metadata.GetUnsigned("tokenizer.ggml.unknown_token_id"));
  if (unknown >= tokens.size()) return malformed("tokenizer.ggml.unknown_token_id", "expected the id of a token");
  made.unknown_ = static_cast<PlainId>(unknown);
  const GgufValue* scores = metadata.Find(kUnigramScoresKey);
  if (scores == nullptr || !std::holds_alternative<std::vector<double>>(*scores)) {
    return malformed(kUnigramScoresKey, "expected numbers in fp64");
  }
  made.scores_ = std::get<std::vector<double>>(*scores);
  if (made.scores_.size() != tokens.size() || types.size() != tokens.size() ||
      !std::all_of(made.scores_.begin(), made.scores_.end(), [](double score) { return std::isfinite(score); })) {
    return malformed(kUnigramScoresKey, "expected a finite number for each token");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const double least, metadata.GetFloat(kUnigramLeastKey));
  made.unknown_score_ = least - kUnknownPenalty;
  std::vector<PlainId> bytes(256, PlainId{-1});
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] == kByte && tokens[id].size() == 6) {
      bytes[std::strtoul(tokens[id].substr(3, 2).c_str(), nullptr, 16) & 0xFF] = static_cast<PlainId>(id);
    }
    // Text that spells a byte is its token there.
    if (types[id] == kNormal || types[id] == kByte) made.tokens_.Add(std::move(tokens[id]), static_cast<int32_t>(id));
  }
  made.tokens_.Finish();
  if (std::find(bytes.begin(), bytes.end(), PlainId{-1}) == bytes.end()) made.bytes_ = std::move(bytes);
  return made;
}

Status Unigram::ReadSpecial(const GgufMetadata& metadata, const std::vector<std::string>& tokens,
                            const std::string& where) {
  if (metadata.Find(kNormalizedTokensKey) == nullptr) return Ok();
  const auto list = [&](const char* key) -> Result<std::vector<int64_t>> {
    return metadata.Find(key) == nullptr ? std::vector<int64_t>() : metadata.GetIntegers(key);
  };
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, list(kNormalizedTokensKey));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> left, list(kStripLeftKey));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> right, list(kStripRightKey));
  const auto has = [](const std::vector<int64_t>& all, int64_t id) {
    return std::find(all.begin(), all.end(), id) != all.end();
  };
  if (ids.size() > kMostNormalized) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{}: {}", where, kNormalizedTokensKey),
                fmt::format("expected at most {} ids, found {}", kMostNormalized, ids.size()));
  }
  for (const int64_t id : ids) {
    if (id < 0 || static_cast<uint64_t>(id) >= tokens.size()) {
      return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, kNormalizedTokensKey), "expected ids of tokens");
    }
    Special special{.id = static_cast<PlainId>(id), .strips_left = has(left, id), .strips_right = has(right, id)};
    ISOVEIL_ASSIGN_OR_RETURN(special.text, normalizer_.Apply(tokens[static_cast<size_t>(id)]));
    if (!special.text.empty()) special_.push_back(std::move(special));
  }
  return Ok();
}

bool Unigram::Finds(PlainId id) const {
  return std::any_of(special_.begin(), special_.end(), [id](const Special& special) { return special.id == id; });
}

// From left to right, the longest at each place, as TextRules finds the others.
Status Unigram::Append(std::string_view text, bool parse_special, std::vector<PlainId>& ids) const {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string normal, normalizer_.Apply(text));
  const std::string_view all = normal;
  size_t begin = 0;  // of the text that is not appended yet
  for (size_t at = 0; parse_special && at < all.size();) {
    const Special* found = nullptr;
    for (const Special& special : special_) {
      if (all.substr(at).starts_with(special.text) && (found == nullptr || special.text.size() > found->text.size())) {
        found = &special;
      }
    }
    if (found == nullptr) {
      ++at;
      continue;
    }
    const std::string_view before = all.substr(begin, at - begin);
    AppendText(std::string(found->strips_left ? WithoutSpaceAtEnd(before) : before), ids);
    ids.push_back(found->id);
    at += found->text.size();
    if (found->strips_right) at += SpaceAtStart(all.substr(at));
    begin = at;
  }
  AppendText(std::string(all.substr(begin)), ids);
  return Ok();
}

void Unigram::AppendText(const std::string& text, std::vector<PlainId>& ids) const {
  const std::vector<std::string> words = cuts_words_ ? WordsOf(text) : std::vector<std::string>{text};
  for (const std::string& word : words) {
    std::string marked = WithSpaceMarks(word);
    if (marks_start_ && !marked.empty() && !marked.starts_with(kMark)) marked.insert(0, kMark);
    // Pieces begin with the mark.
    for (size_t begin = 0; begin < marked.size();) {
      const size_t end = std::min(marked.find(kMark, begin + 1), marked.size());
      AppendPiece(std::string_view(marked).substr(begin, end - begin), ids);
      begin = end;
    }
  }
}

void Unigram::AppendPiece(std::string_view piece, std::vector<PlainId>& ids) const {
  struct Node {
    double score = 0;
    std::optional<size_t> begin = {};
    PlainId id{};
  };
  std::vector<Node> best(piece.size() + 1);
  for (size_t at = 0; at < piece.size(); at += LengthOf(piece[at])) {
    const double here = best[at].score;
    const auto offer = [&](size_t end, double score, PlainId id) {
      Node& node = best[end];
      if (!node.begin || score > node.score) node = {score, at, id};
    };
    const size_t next = at + LengthOf(piece[at]);
    bool spelled = false;
    tokens_.ForEach(piece.substr(at), [&](size_t length, int32_t id) {
      offer(at + length, scores_[static_cast<size_t>(id)] + here, PlainId{id});
      spelled = spelled || at + length == next;
    });
    if (!spelled) offer(next, unknown_score_ + here, unknown_);
  }
  std::vector<std::pair<size_t, size_t>> path;  // begin and end, from behind; unknown ones are joined
  for (size_t end = piece.size(); end > 0; end = *best[end].begin) {
    const bool joins = best[end].id == unknown_ && !path.empty() && path.back().first == end &&
                       best[path.back().second].id == unknown_;
    if (joins) {
      path.back().first = *best[end].begin;
    } else {
      path.emplace_back(*best[end].begin, end);
    }
  }
  for (auto it = path.rbegin(); it != path.rend(); ++it) {
    if (best[it->second].id != unknown_) {
      ids.push_back(best[it->second].id);
    } else {
      AppendUnknown(piece.substr(it->first, it->second - it->first), ids);
    }
  }
}

void Unigram::AppendUnknown(std::string_view text, std::vector<PlainId>& ids) const {
  // What is spelled together may be a token by chance.
  if (const auto [id, length] = tokens_.Longest(text); length == text.size()) {
    ids.push_back(PlainId{id});
    return;
  }
  if (bytes_.empty()) {
    ids.push_back(unknown_);
    return;
  }
  for (const char byte : text) ids.push_back(bytes_[static_cast<unsigned char>(byte)]);
}

}  // namespace isoveil
