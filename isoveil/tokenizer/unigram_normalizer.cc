#include "isoveil/tokenizer/unigram_normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <span>

#include "isoveil/tokenizer/bert_characters.h"

namespace isoveil {
namespace {

struct Range {
  char32_t first, last;
};

bool IsIn(std::span<const Range> ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [c](Range range) { return range.first <= c && c <= range.last; });
}

// Where utf8proc's tables, of Unicode 14, say otherwise than the older ones of the library
// unicode_normalization_alignments; all characters of Unicode 14 were compared.
constexpr Range kUndecomposed[] = {{0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},   {0xab69, 0xab69},
                                   {0x10781, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba},
                                   {0x11938, 0x11938}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}};
constexpr Range kNewMarks[] = {
    {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xafa, 0xaff},
    {0xb55, 0xb55},     {0xc04, 0xc04},     {0xc3c, 0xc3c},     {0xd00, 0xd00},     {0xd3b, 0xd3c},
    {0xd81, 0xd81},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x180f, 0x180f},   {0x1abf, 0x1ace},
    {0x1cf7, 0x1cf7},   {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},   {0xa8ff, 0xa8ff},   {0x10d24, 0x10d27},
    {0x10eab, 0x10eac}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x11073, 0x11074},
    {0x110c2, 0x110c2}, {0x11145, 0x11146}, {0x111c9, 0x111c9}, {0x111ce, 0x111cf}, {0x1133b, 0x1133b},
    {0x1145e, 0x1145e}, {0x1182c, 0x1183a}, {0x11930, 0x11935}, {0x11937, 0x11938}, {0x1193b, 0x1193e},
    {0x11940, 0x11940}, {0x11942, 0x11943}, {0x119d1, 0x119d7}, {0x119da, 0x119e0}, {0x119e4, 0x119e4},
    {0x11a01, 0x11a0a}, {0x11a33, 0x11a39}, {0x11a3b, 0x11a3e}, {0x11a47, 0x11a47}, {0x11a51, 0x11a5b},
    {0x11a8a, 0x11a99}, {0x11d31, 0x11d36}, {0x11d3a, 0x11d3a}, {0x11d3c, 0x11d3d}, {0x11d3f, 0x11d45},
    {0x11d47, 0x11d47}, {0x11d8a, 0x11d8e}, {0x11d90, 0x11d91}, {0x11d93, 0x11d97}, {0x11ef3, 0x11ef6},
    {0x16f4f, 0x16f4f}, {0x16f7f, 0x16f87}, {0x16fe4, 0x16fe4}, {0x16ff0, 0x16ff1}, {0x1cf00, 0x1cf2d},
    {0x1cf30, 0x1cf46}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}};
constexpr Range kOldMarks[] = {{0x1cf2, 0x1cf3}};

Result<std::string> MapForm(const std::string& text, int options) {
  utf8proc_uint8_t* made = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &made, static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(made, &std::free);
  if (size < 0) return Fail(ErrorCode::kInvalidArgument, "text", "cannot be normalised");
  return std::string(reinterpret_cast<const char*>(made), static_cast<size_t>(size));
}

// None of the characters that stay as they are combines with others.
Result<std::string> ToForm(const std::string& text, int options) {
  std::string out, part;
  const auto flush = [&]() -> Status {
    if (part.empty()) return Ok();
    ISOVEIL_ASSIGN_OR_RETURN(const std::string made, MapForm(part, options));
    out += made;
    part.clear();
    return Ok();
  };
  for (const char32_t c : CharactersOf(text)) {
    const bool stays = IsIn(kUndecomposed, c);
    if (stays) ISOVEIL_RETURN_IF_ERROR(flush());
    AppendUtf8(c, stays ? out : part);
  }
  ISOVEIL_RETURN_IF_ERROR(flush());
  return out;
}

bool IsMark(char32_t c) {
  const auto category = utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->category;
  const bool is_new =
      category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
  return is_new ? !IsIn(kNewMarks, c) : IsIn(kOldMarks, c);
}

template <typename Append>
std::string Mapped(const std::string& text, const Append& append) {
  std::u32string changed;
  for (const char32_t c : CharactersOf(text)) append(c, changed);
  std::string out;
  for (const char32_t c : changed) AppendUtf8(c, out);
  return out;
}

std::string Stripped(const std::string& text, bool left) {
  std::u32string all = CharactersOf(text);
  if (left) {
    size_t n = 0;
    while (n < all.size() && IsBertSpace(all[n])) ++n;
    all.erase(0, n);
  } else {
    while (!all.empty() && IsBertSpace(all.back())) all.pop_back();
  }
  std::string out;
  for (const char32_t c : all) AppendUtf8(c, out);
  return out;
}

tl::unexpected<Error> TooLong() {
  return Fail(ErrorCode::kInvalidArgument, "text", "becomes too long where the vocabulary normalises it");
}

// Runs of two and more.
Result<std::string> Collapsed(std::string_view text, std::string_view to) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (out.size() > Charsmap::MostOf(text)) return TooLong();
    size_t end = at;
    while (end < text.size() && text[end] == ' ') ++end;
    if (end - at > 1) {
      out += to;
      at = end;
    } else {
      out += text[at++];
    }
  }
  return out;
}

Result<std::string> Replaced(const std::string& text, std::string_view from, std::string_view to) {
  std::string out;
  std::string_view rest = text;
  for (size_t at = rest.find(from); at != std::string_view::npos; at = rest.find(from)) {
    out.append(rest, 0, at) += to;
    rest.remove_prefix(at + from.size());
    if (out.size() > Charsmap::MostOf(text)) return TooLong();
  }
  return out.append(rest);
}

}  // namespace

Result<UnigramNormalizer> UnigramNormalizer::Read(const std::vector<std::string>& steps, std::string_view charsmap,
                                                  const std::string& where) {
  static const std::pair<std::string_view, Step> kPlain[] = {
      {"nfc", {Kind::kForm, UTF8PROC_COMPOSE}},
      {"nfd", {Kind::kForm, UTF8PROC_DECOMPOSE}},
      {"nfkc", {Kind::kForm, UTF8PROC_COMPOSE | UTF8PROC_COMPAT}},
      {"nfkd", {Kind::kForm, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}},
      {"charsmap", {Kind::kCharsmap}},
      {"strip_accents", {Kind::kStripAccents}},
      {"lowercase", {Kind::kLowercase}},
      {"strip_left", {Kind::kStripLeft}},
      {"strip_right", {Kind::kStripRight}},
      {"collapse_spaces", {Kind::kCollapse}},
      {"replace", {Kind::kReplace}}};
  if (steps.size() > kMostSteps) {
    return Fail(ErrorCode::kUnsupported, where, fmt::format("has more than {} steps", kMostSteps));
  }
  UnigramNormalizer normalizer;
  size_t i = 0;
  const auto argument = [&](std::string& text) -> Status {
    if (++i >= steps.size()) return Fail(ErrorCode::kFormat, where, "ends within a step");
    text = steps[i];
    return Ok();
  };
  for (; i < steps.size(); ++i) {
    const auto* known =
        std::find_if(std::begin(kPlain), std::end(kPlain), [&](const auto& plain) { return plain.first == steps[i]; });
    if (known == std::end(kPlain)) {
      return Fail(ErrorCode::kUnsupported, where, fmt::format("the step {} has no rule", Quoted(steps[i])),
                  "use a newer version of isoveil");
    }
    Step step = known->second;
    if (step.kind == Kind::kReplace) ISOVEIL_RETURN_IF_ERROR(argument(step.from));
    if (step.kind == Kind::kReplace || step.kind == Kind::kCollapse) ISOVEIL_RETURN_IF_ERROR(argument(step.to));
    if (step.kind == Kind::kReplace && step.from.empty()) {
      return Fail(ErrorCode::kFormat, where, "replaces the empty text");
    }
    if (step.kind == Kind::kCharsmap && !normalizer.charsmap_) {
      ISOVEIL_ASSIGN_OR_RETURN(normalizer.charsmap_, Charsmap::Parse(charsmap, where));
    }
    normalizer.steps_.push_back(std::move(step));
  }
  return normalizer;
}

Result<std::string> UnigramNormalizer::Apply(const Step& step, const std::string& text) const {
  switch (step.kind) {
    case Kind::kCharsmap: return charsmap_->Apply(text);
    case Kind::kForm: return ToForm(text, step.form);
    case Kind::kStripAccents:
      return Mapped(text, [](char32_t c, std::u32string& out) {
        if (!IsMark(c)) out += c;
      });
    case Kind::kLowercase: return Mapped(text, &AppendLowercase);
    case Kind::kStripLeft: return Stripped(text, true);
    case Kind::kStripRight: return Stripped(text, false);
    case Kind::kCollapse: return Collapsed(text, step.to);
    case Kind::kReplace: return Replaced(text, step.from, step.to);
  }
  return text;
}

Result<std::string> UnigramNormalizer::Apply(std::string_view text) const {
  std::string now(text);
  for (const Step& step : steps_) {
    ISOVEIL_ASSIGN_OR_RETURN(now, Apply(step, now));
  }
  return now;
}

}  // namespace isoveil
