#include "isoveil/base/strict_json.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <vector>

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// More values than any model's tokenizer has; a bound on the memory that a hostile text can ask for.
constexpr uint64_t kMaxValues = 16 << 20;

// Objects of fewer members, such as nearly all in messages, are searched for equal keys pair by pair.
constexpr size_t kFewMembers = 16;

using Members = ordered_json::object_t::Container;

// The key that two members share, if any do.
std::optional<std::string_view> KeyThatIsThereTwice(const Members& members) {
  if (members.size() < kFewMembers) {
    for (size_t i = 1; i < members.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (members[i].first == members[j].first) return members[i].first;
      }
    }
    return std::nullopt;
  }
  std::vector<std::string_view> keys;
  keys.reserve(members.size());
  for (const auto& [key, value] : members) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  return twice == keys.end() ? std::nullopt : std::optional(*twice);
}

// The last value of each key, where its first one is.
Members LastOfEqualKeys(Members& members) {
  Members kept;
  std::unordered_map<std::string_view, size_t> places;
  for (auto& [key, value] : members) {
    const auto [place, is_new] = places.try_emplace(key, kept.size());
    if (is_new) {
      kept.emplace_back(key, std::move(value));
    } else {
      kept[place->second].second = std::move(value);
    }
  }
  return kept;
}

// Builds the document from the parser's events, each value where it stays. Members are appended without a search,
// and equal keys are found at the end of each object: nlohmann's own ordered_json takes quadratic time.
class Builder {
 public:
  Builder(const std::string& name, size_t max_depth, EqualKeys equal_keys)
      : name_(name), max_depth_(max_depth), equal_keys_(equal_keys) {}

  bool null() { return Add(nullptr) != nullptr; }
  bool boolean(bool value) { return Add(value) != nullptr; }
  bool number_integer(int64_t value) { return Add(value) != nullptr; }
  bool number_unsigned(uint64_t value) { return Add(value) != nullptr; }
  bool number_float(double value, const std::string&) { return Add(value) != nullptr; }
  bool string(std::string& value) { return Add(std::move(value)) != nullptr; }
  bool binary(ordered_json::binary_t&) { return false; }
  bool start_object(size_t) { return Open(ordered_json::value_t::object); }
  bool start_array(size_t) { return Open(ordered_json::value_t::array); }

  bool end_array() {
    open_.pop_back();
    return true;
  }

  bool key(std::string& key) {
    key_ = std::move(key);
    return true;
  }

  bool end_object() {
    Members& members = open_.back()->get_ref<ordered_json::object_t&>();
    open_.pop_back();
    const auto twice = KeyThatIsThereTwice(members);
    if (!twice) return true;
    if (equal_keys_ == EqualKeys::kRefused) return Refuse(fmt::format("key {} occurs twice", Quoted(*twice)));
    members = LastOfEqualKeys(members);
    return true;
  }

  bool parse_error(size_t offset, const std::string&, const ordered_json::exception& error) {
    const bool number = dynamic_cast<const ordered_json::out_of_range*>(&error) != nullptr;
    where_ = fmt::format("{}: offset {}", name_, offset);
    return Refuse(number ? "a number is out of range" : "is no well-formed JSON");
  }

  Result<ordered_json> Finish() && {
    if (problem_.empty()) return std::move(root_);
    return Fail(ErrorCode::kFormat, where_.empty() ? name_ : where_, problem_, "the file is damaged; fetch it again");
  }

 private:
  bool Refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  bool Open(ordered_json::value_t kind) {
    if (open_.size() >= max_depth_) return Refuse(fmt::format("is nested deeper than {}", max_depth_));
    ordered_json* const value = Add(kind);
    if (value != nullptr) open_.push_back(value);
    return value != nullptr;
  }

  // Where the value stays: what it is a part of grows only when it is complete. Null if there are too many.
  template <typename Value>
  ordered_json* Add(Value&& value) {
    if (++n_values_ > kMaxValues) {
      Refuse(fmt::format("holds more than {} values", kMaxValues));
      return nullptr;
    }
    if (open_.empty()) {
      root_ = ordered_json(std::forward<Value>(value));
      return &root_;
    }
    if (open_.back()->is_array()) {
      return &open_.back()->get_ref<ordered_json::array_t&>().emplace_back(std::forward<Value>(value));
    }
    Members& members = open_.back()->get_ref<ordered_json::object_t&>();
    return &members.emplace_back(std::move(key_), std::forward<Value>(value)).second;
  }

  const std::string& name_;
  const size_t max_depth_;
  const EqualKeys equal_keys_;
  ordered_json root_;
  std::vector<ordered_json*> open_;  // the objects and arrays around the next value, outermost first
  std::string key_;
  uint64_t n_values_ = 0;
  std::string where_;
  std::string problem_;
};

}  // namespace

Result<ordered_json> ParseStrictJson(std::string_view text, const std::string& name, int max_depth,
                                     EqualKeys equal_keys) {
  if (text.starts_with("\xef\xbb\xbf")) {
    return Fail(ErrorCode::kFormat, name + ": offset 0", "expected JSON, found a byte order mark",
                "save the file as UTF-8 without a byte order mark");
  }
  // nlohmann takes a NUL for the end of the text and would not look at what follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: offset {}", name, nul + 1), "is no well-formed JSON",
                "the file is damaged; fetch it again");
  }
  Builder builder(name, static_cast<size_t>(std::max(max_depth, 0)), equal_keys);
  ordered_json::sax_parse(text, &builder);
  return std::move(builder).Finish();
}

}  // namespace isoveil
