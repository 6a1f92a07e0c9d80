#include "isoveil/base/utf8.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace isoveil {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

struct Step {
  size_t length;  // bytes of the character, or of the maximal subpart of an ill-formed one
  bool whole;
  bool cut;  // the bytes end inside of a character that may still become well-formed
};

// Table 3-7 of the Unicode Standard: how many bytes follow a first byte, and the range of the second.
struct Lead {
  size_t length;
  uint8_t second_min;
  uint8_t second_max;
};

Lead LeadOf(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte >= 0xc2 && byte <= 0xdf) return {2, 0x80, 0xbf};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return {3, 0x80, 0xbf};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3) return {4, 0x80, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

// Looks at the first character of `bytes`, which is not empty.
Step NextCharacter(std::string_view bytes) {
  const Lead lead = LeadOf(static_cast<uint8_t>(bytes[0]));
  if (lead.length == 0) return {1, false, false};
  for (size_t i = 1; i < lead.length; ++i) {
    if (i == bytes.size()) return {i, false, true};
    const auto byte = static_cast<uint8_t>(bytes[i]);
    const uint8_t min = i == 1 ? lead.second_min : uint8_t{0x80};
    const uint8_t max = i == 1 ? lead.second_max : uint8_t{0xbf};
    if (byte < min || byte > max) return {i, false, false};
  }
  return {lead.length, true, false};
}

}  // namespace

void Utf8Repair::Append(std::string_view bytes, std::string& out) {
  std::string joined;
  if (!pending_.empty()) {
    joined = std::move(pending_) + std::string(bytes);
    bytes = joined;
    pending_.clear();
  }
  while (!bytes.empty()) {
    const Step step = NextCharacter(bytes);
    if (step.cut) {
      pending_ = std::string(bytes);
      return;
    }
    out += step.whole ? bytes.substr(0, step.length) : kReplacement;
    bytes.remove_prefix(step.length);
  }
}

void Utf8Repair::Finish(std::string& out) {
  // What is pending is one maximal subpart: Append stops at the first byte that cannot be completed.
  if (!pending_.empty()) out += kReplacement;
  pending_.clear();
}

std::string RepairUtf8(std::string_view bytes) {
  Utf8Repair repair;
  std::string out;
  out.reserve(bytes.size());
  repair.Append(bytes, out);
  repair.Finish(out);
  return out;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const Step step = NextCharacter(text);
    if (!step.whole) return false;
    text.remove_prefix(step.length);
  }
  return true;
}

bool IsCleanName(std::string_view name, size_t max_bytes) {
  if (name.empty() || name.size() > max_bytes) return false;
  while (!name.empty()) {
    const Step step = NextCharacter(name);
    const auto first = static_cast<uint8_t>(name[0]);
    const bool control =
        first < 0x20 || first == 0x7f || (first == 0xc2 && name.size() > 1 && static_cast<uint8_t>(name[1]) < 0xa0);
    if (!step.whole || control) return false;
    name.remove_prefix(step.length);
  }
  return true;
}

size_t SpaceLength(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) return 1;
  constexpr std::array<std::string_view, 19> kSpaces = {
      "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
      "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  for (const std::string_view space : kSpaces) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

}  // namespace isoveil
