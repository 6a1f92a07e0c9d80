#include "isoveil/tokenizer/listed_tokens.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "isoveil/tokenizer/own_keys.h"

namespace isoveil {
namespace {

TokenKind KindOfType(int64_t type) {
  switch (type) {
    case 2: return TokenKind::kUnknown;
    case 3: return TokenKind::kControl;
    case 4: return TokenKind::kUserDefined;
    case 5: return TokenKind::kUnused;
    case 6: return TokenKind::kByte;
    default: return TokenKind::kNormal;
  }
}

bool IsMadeOfText(TokenKind kind) { return kind == TokenKind::kNormal || kind == TokenKind::kByte; }

}  // namespace

Result<std::optional<ListedTokens>> ListedTokens::Read(const GgufMetadata& metadata, const std::string& where) {
  if (metadata.Find(kSpecialTokensKey) == nullptr) return std::nullopt;
  ISOVEIL_ASSIGN_OR_RETURN(const std::string value, metadata.GetString(kSpecialTokensKey));
  if (value != "listed") {
    return Fail(ErrorCode::kUnsupported, fmt::format("{}: {}", where, kSpecialTokensKey),
                fmt::format("expected \"listed\", found {}", Quoted(value)), "use a newer version of isoveil");
  }
  ListedTokens listed;
  ISOVEIL_ASSIGN_OR_RETURN(listed.texts, metadata.GetStrings("tokenizer.ggml.tokens"));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> types, metadata.GetIntegers("tokenizer.ggml.token_type"));
  for (const int64_t type : types) listed.kinds.push_back(KindOfType(type));
  if (metadata.Find(kEndsKey) != nullptr) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> ends, metadata.GetIntegers(kEndsKey));
    for (const int64_t id : ends) {
      if (id < 0 || static_cast<uint64_t>(id) >= listed.texts.size()) {
        return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, kEndsKey),
                    fmt::format("expected ids below {}, found {}", listed.texts.size(), id));
      }
      listed.ends.push_back(static_cast<PlainId>(id));
    }
    std::sort(listed.ends.begin(), listed.ends.end());
    listed.ends.erase(std::unique(listed.ends.begin(), listed.ends.end()), listed.ends.end());
  }
  return listed;
}

namespace {

using Ids = std::unordered_map<std::string, size_t>;

// Those of `ids` that a merge makes, as the metadata of either kind of tokenizer says it.
Result<std::unordered_set<size_t>> MadeByMerges(const GgufMetadata& metadata, const Ids& ids) {
  std::unordered_set<size_t> made;
  if (metadata.Find("tokenizer.ggml.scores") != nullptr) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> scores, metadata.GetFloats("tokenizer.ggml.scores"));
    for (const auto& [text, id] : ids) {
      if (scores[id] > kNeverMerged) made.insert(id);
    }
  }
  if (metadata.Find("tokenizer.ggml.merges") == nullptr || ids.empty()) return made;
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> merges, metadata.GetStrings("tokenizer.ggml.merges"));
  std::string joined;
  for (const std::string& merge : merges) {
    joined = merge;
    if (const size_t space = merge.find(' ', 1); space != std::string::npos) joined.erase(space, 1);
    if (const auto it = ids.find(joined); it != ids.end()) made.insert(it->second);
  }
  return made;
}

}  // namespace

Result<GgufMetadata> ListedTokens::HiddenFromLlama(const GgufMetadata& metadata) const {
  Ids user_defined;
  for (size_t id = 0; id < texts.size(); ++id) {
    if (kinds[id] == TokenKind::kUserDefined) user_defined.emplace(texts[id], id);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const auto made, MadeByMerges(metadata, user_defined));
  GgufMetadata hidden;
  for (const auto& [key, value] : metadata) {
    // Some names of models change the rules; the table is read by unigram.h.
    if (key != "general.name" && key != "tokenizer.ggml.tokens" && key != "tokenizer.ggml.token_type" &&
        key != kCharsmapKey) {
      hidden.Set(key, value);
    }
  }
  std::vector<std::string> names = texts;
  std::vector<int32_t> types;
  for (size_t id = 0; id < names.size(); ++id) {
    // Both kinds of tokenizer write a space in another way, so no text makes a token with one.
    const bool keeps_name = IsMadeOfText(kinds[id]) || made.contains(id);
    if (!keeps_name) names[id] = fmt::format(" {}", id);
    // llama.cpp decodes the name of a normal token, which takes an exception for each that is no text.
    types.push_back(kinds[id] == TokenKind::kByte ? 6 : keeps_name ? 1 : 5);
  }
  hidden.Set("tokenizer.ggml.tokens", std::move(names));
  hidden.Set("tokenizer.ggml.token_type", std::move(types));
  return hidden;
}

}  // namespace isoveil
