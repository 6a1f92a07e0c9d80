#include "isoveil/tokenizer/charsmap.h"

#include <utf8proc.h>

#include <algorithm>

#include "isoveil/base/utf8.h"

namespace isoveil {
namespace {

constexpr size_t kLongestCluster = 5;

// Of a unit of the double array.
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) == 1; }
uint32_t LabelOf(uint32_t unit) { return unit & (uint32_t{1} << 31 | 0xFF); }
uint32_t OffsetOf(uint32_t unit) { return unit >> 10 << ((unit & (uint32_t{1} << 9)) >> 6); }
uint32_t ValueOf(uint32_t unit) { return unit & ((uint32_t{1} << 31) - 1); }

uint32_t WordAt(std::string_view bytes, size_t at) {
  uint32_t word = 0;
  for (size_t i = 0; i < 4; ++i) word |= uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return word;
}

struct Character {
  size_t begin, end;
  int32_t point;
};
std::vector<Character> CharactersOf(std::string_view text) {
  std::vector<Character> characters;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t point = 0;
    const auto size = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &point);
    if (size <= 0) break;  // not well-formed
    characters.push_back({at, at + static_cast<size_t>(size), point});
    at += static_cast<size_t>(size);
  }
  return characters;
}

}  // namespace

Result<Charsmap> Charsmap::Parse(std::string_view bytes, const std::string& where) {
  const auto malformed = [&](const char* problem) { return Fail(ErrorCode::kFormat, where, problem); };
  if (bytes.size() < 4) return malformed("ends within its length");
  const uint32_t n_bytes = WordAt(bytes, 0);
  if (n_bytes % 4 != 0 || n_bytes == 0 || n_bytes > bytes.size() - 4) return malformed("ends within its table");
  Charsmap map;
  map.units_.reserve(n_bytes / 4);
  for (size_t at = 4; at < 4 + size_t{n_bytes}; at += 4) map.units_.push_back(WordAt(bytes, at));
  map.replacements_ = bytes.substr(4 + size_t{n_bytes});
  if (!IsUtf8(map.replacements_)) return malformed("expected replacements in UTF-8");
  return map;
}

std::optional<std::string_view> Charsmap::Find(std::string_view piece) const {
  size_t node = OffsetOf(units_.front());
  for (const char byte : piece) {
    if (byte == 0) break;
    node ^= static_cast<unsigned char>(byte);
    if (node >= units_.size() || LabelOf(units_[node]) != static_cast<unsigned char>(byte)) return std::nullopt;
    const uint32_t unit = units_[node];
    node ^= OffsetOf(unit);
    if (node >= units_.size()) return std::nullopt;
    if (!HasLeaf(unit)) continue;
    const size_t begin = ValueOf(units_[node]);
    if (begin > replacements_.size()) return std::nullopt;
    const std::string_view rest = std::string_view(replacements_).substr(begin);
    const std::string_view found = rest.substr(0, rest.find('\0'));
    return IsUtf8(found) ? std::optional(found) : std::nullopt;
  }
  return std::nullopt;
}

Result<std::string> Charsmap::Apply(std::string_view text) const {
  const std::vector<Character> characters = CharactersOf(text);
  std::string out;
  const auto append = [&](size_t first, size_t last) {  // a cluster
    const size_t begin = characters[first].begin, end = characters[last - 1].end;
    if (end - begin <= kLongestCluster) {
      if (const auto found = Find(text.substr(begin, end - begin))) {
        out += *found;
        return;
      }
    }
    for (size_t i = first; i < last; ++i) {
      const std::string_view one = text.substr(characters[i].begin, characters[i].end - characters[i].begin);
      out += Find(one).value_or(one);
    }
  };
  size_t first = 0;
  utf8proc_int32_t state = 0;
  for (size_t i = 1; i <= characters.size(); ++i) {
    if (i < characters.size() &&
        !utf8proc_grapheme_break_stateful(characters[i - 1].point, characters[i].point, &state)) {
      continue;
    }
    append(first, i);
    first = i;
    if (out.size() > MostOf(text)) {
      return Fail(ErrorCode::kInvalidArgument, "text", "becomes too long where the vocabulary normalises it");
    }
  }
  return out;
}

}  // namespace isoveil
