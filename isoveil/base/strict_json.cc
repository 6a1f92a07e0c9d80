#include "isoveil/base/strict_json.h"

#include <algorithm>
#include <vector>

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// More values than any model's tokenizer has; a bound on the memory that a hostile text can ask for.
constexpr uint64_t kMaxValues = 16 << 20;

// Builds the document from the parser's events. Members are appended without a search, and equal keys are
// found by one sort at the end of each object: nlohmann's own ordered_json takes quadratic time.
class Builder {
 public:
  Builder(const std::string& name, size_t max_depth) : name_(name), max_depth_(max_depth) {}

  bool null() { return Add(nullptr); }
  bool boolean(bool value) { return Add(value); }
  bool number_integer(int64_t value) { return Add(value); }
  bool number_unsigned(uint64_t value) { return Add(value); }
  bool number_float(double value, const std::string&) { return Add(value); }
  bool string(std::string& value) { return Add(std::move(value)); }
  bool binary(ordered_json::binary_t&) { return false; }
  bool start_object(size_t) { return Open(ordered_json::object()); }
  bool start_array(size_t) { return Open(ordered_json::array()); }
  bool end_array() { return Close(); }

  bool key(std::string& key) {
    key_ = std::move(key);
    return true;
  }

  bool end_object() {
    std::vector<std::string_view> keys;
    for (const auto& [key, value] : stack_.back().get_ref<const ordered_json::object_t&>())
      keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) return Refuse(fmt::format("key {} occurs twice", Quoted(*twice)));
    return Close();
  }

  bool parse_error(size_t offset, const std::string&, const ordered_json::exception& error) {
    const bool number = dynamic_cast<const ordered_json::out_of_range*>(&error) != nullptr;
    where_ = fmt::format("{}: offset {}", name_, offset);
    return Refuse(number ? "a number is out of range" : "is no well-formed JSON");
  }

  Result<ordered_json> Finish() && {
    if (problem_.empty()) return std::move(root_);
    return Fail(ErrorCode::kFormat, where_.empty() ? name_ : where_, problem_,
                "the file is damaged; fetch it again");
  }

 private:
  bool Refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  bool Open(ordered_json value) {
    if (stack_.size() >= max_depth_) return Refuse(fmt::format("is nested deeper than {}", max_depth_));
    keys_.push_back(std::move(key_));
    stack_.push_back(std::move(value));
    return true;
  }

  bool Close() {
    ordered_json value = std::move(stack_.back());
    stack_.pop_back();
    key_ = std::move(keys_.back());
    keys_.pop_back();
    return Add(std::move(value));
  }

  bool Add(ordered_json value) {
    if (++n_values_ > kMaxValues) return Refuse(fmt::format("holds more than {} values", kMaxValues));
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (stack_.back().is_array()) {
      stack_.back().get_ref<ordered_json::array_t&>().push_back(std::move(value));
    } else {
      auto& members = stack_.back().get_ref<ordered_json::object_t&>();
      members.ordered_json::object_t::Container::emplace_back(std::move(key_), std::move(value));
    }
    return true;
  }

  const std::string& name_;
  const size_t max_depth_;
  ordered_json root_;
  std::vector<ordered_json> stack_;
  std::vector<std::string> keys_;  // of the open containers, in their parents
  std::string key_;
  uint64_t n_values_ = 0;
  std::string where_;
  std::string problem_;
};

}  // namespace

Result<ordered_json> ParseStrictJson(std::string_view text, const std::string& name, int max_depth) {
  if (text.starts_with("\xef\xbb\xbf")) {
    return Fail(ErrorCode::kFormat, name + ": offset 0", "expected JSON, found a byte order mark",
                "save the file as UTF-8 without a byte order mark");
  }
  // nlohmann takes a NUL for the end of the text and would not look at what follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: offset {}", name, nul + 1), "is no well-formed JSON",
                "the file is damaged; fetch it again");
  }
  Builder builder(name, static_cast<size_t>(std::max(max_depth, 0)));
  ordered_json::sax_parse(text, &builder);
  return std::move(builder).Finish();
}

}  // namespace isoveil
