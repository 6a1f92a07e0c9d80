#include "isoveil/tokenizer/vocabulary_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "isoveil/base/token_id.h"

namespace isoveil {
namespace {

constexpr std::array<std::string_view, 5> kModels = {"llama", "gpt2", "gemma4", "bert", "t5"};
constexpr int64_t kMaxTokenType = 6;
constexpr int64_t kByteType = 6;

// Entries of a list, or nothing for a scalar.
std::optional<size_t> LengthOf(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> std::optional<size_t> {
        if constexpr (requires { v.begin(); } && !std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
          return v.size();
        } else {
          return std::nullopt;
        }
      },
      value);
}

Status CheckModel(const GgufMetadata& metadata, const std::string& where) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string model, metadata.GetString("tokenizer.ggml.model"));
  if (std::find(kModels.begin(), kModels.end(), model) != kModels.end()) return Ok();
  const bool no_text = model == "none" || model == "no_vocab";
  return Fail(ErrorCode::kUnsupported, where + ": tokenizer.ggml.model",
              no_text ? "the vocabulary holds no text" : fmt::format("{} has no rule", Quoted(model)));
}

Status CheckLengths(const GgufMetadata& metadata, size_t n_tokens, const std::string& where) {
  for (const char* key : {"tokenizer.ggml.scores", "tokenizer.ggml.token_type"}) {
    const GgufValue* list = metadata.Find(key);
    if (list == nullptr) continue;
    const auto length = LengthOf(*list);
    if (length == n_tokens) continue;
    return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where, key),
                length ? fmt::format("expected {} entries, one for each token, found {}", n_tokens, *length)
                       : "expected a list");
  }
  return Ok();
}

// llama.cpp's queue of merges is in no order where a score is no number.
Status CheckScores(const GgufMetadata& metadata, const std::string& where) {
  const auto scores = metadata.GetFloats("tokenizer.ggml.scores");
  if (!scores) return Ok();
  for (size_t id = 0; id < scores->size(); ++id) {
    if (std::isnan((*scores)[id]))
      return Fail(ErrorCode::kFormat, fmt::format("{}: tokenizer.ggml.scores: token {}", where, id),
                  "expected a number, found NaN");
  }
  return Ok();
}

// As llama.cpp names it: up to the first zero byte, and an empty one by its id.
std::string NameInLlama(std::string_view text, size_t id) {
  const std::string_view name = text.substr(0, text.find('\0'));
  return name.empty() ? fmt::format("[EMPTY_{}]", id) : std::string(name);
}

Status CheckTokens(const std::vector<std::string>& tokens, const std::string& where) {
  std::unordered_map<std::string, size_t> seen;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const auto [first, is_new] = seen.emplace(NameInLlama(tokens[id], id), id);
    if (is_new) continue;
    const std::string& other = tokens[first->second];
    const std::string differently =
        other == tokens[id] ? "" : fmt::format(", which is {} and the same to llama.cpp", Quoted(other));
    return Fail(
        ErrorCode::kFormat, where + ": tokenizer.ggml.tokens",
        fmt::format("token {} is there already as token {}{}: {}", id, first->second, differently, Quoted(tokens[id])),
        "give one of the two another text; a vocabulary has each text once");
  }
  return Ok();
}

Status CheckTypes(const GgufMetadata& metadata, const std::vector<std::string>& tokens, const std::string& where) {
  if (metadata.Find("tokenizer.ggml.token_type") == nullptr) return Ok();
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> types, metadata.GetIntegers("tokenizer.ggml.token_type"));
  const auto model = metadata.GetString("tokenizer.ggml.model");
  for (size_t id = 0; id < types.size(); ++id) {
    const std::string place = fmt::format("{}: tokenizer.ggml.token_type: token {}", where, id);
    if (types[id] < 0 || types[id] > kMaxTokenType) {
      return Fail(ErrorCode::kFormat, place, fmt::format("expected 0 to {}, found {}", kMaxTokenType, types[id]));
    }
    if (types[id] == kByteType && (*model == "bert" || !IsByteToken(tokens[id]))) {
      return Fail(ErrorCode::kFormat, place, fmt::format("is a byte, but its text is {}", Quoted(tokens[id])));
    }
  }
  return Ok();
}

// llama.cpp ends the process at two spaces side by side with this one: it looks for what they merge to, and asserts
// that no part of a merge holds a space.
Status CheckPreTokenizer(const GgufMetadata& metadata, const std::string& where) {
  const auto name = metadata.GetString("tokenizer.ggml.pre");
  if (!name || *name != "whitespace") return Ok();
  return Fail(ErrorCode::kUnsupported, where + ": tokenizer.ggml.pre",
              "llama.cpp cannot split every text with the pre-tokenizer 'whitespace'");
}

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'); }

}  // namespace

bool IsByteToken(std::string_view text) {
  return text.size() == 6 && text.starts_with("<0x") && IsHexDigit(text[3]) && IsHexDigit(text[4]) && text[5] == '>';
}

Status CheckVocabularyMetadata(const GgufMetadata& metadata, const std::string& where) {
  ISOVEIL_RETURN_IF_ERROR(CheckModel(metadata, where));
  ISOVEIL_RETURN_IF_ERROR(CheckPreTokenizer(metadata, where));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> tokens, metadata.GetStrings("tokenizer.ggml.tokens"));
  if (tokens.empty() || tokens.size() > kMaxVocabulary) {
    return Fail(ErrorCode::kFormat, where + ": tokenizer.ggml.tokens",
                fmt::format("expected 1 to {} tokens, found {}", kMaxVocabulary, tokens.size()));
  }
  ISOVEIL_RETURN_IF_ERROR(CheckLengths(metadata, tokens.size(), where));
  ISOVEIL_RETURN_IF_ERROR(CheckScores(metadata, where));
  ISOVEIL_RETURN_IF_ERROR(CheckTokens(tokens, where));
  return CheckTypes(metadata, tokens, where);
}

}  // namespace isoveil
