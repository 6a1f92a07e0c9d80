// Finds stop strings in text that arrives in pieces, and holds back what may be the beginning of one.
//
//   StopMatcher matcher({"\n\n", "User:"});
//   out += matcher.Append("Hello Us");     // "Hello "
//   out += matcher.Append("er: hi");       // "", and matcher.matched()
//   out += matcher.Finish();               // what was held back, if nothing matched
//
// The stop string that begins first wins, and neither it nor what follows it is given out. However the text is
// cut, the result is the same. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace isoveil {

class StopMatcher {
 public:
  // Empty strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  // The text that is now known to precede every stop string. Empty after a match.
  std::string Append(std::string_view text);
  std::string Finish();

  bool matched() const { return !found_.empty(); }
  // The stop string that was matched; empty before that.
  const std::string& found() const { return found_; }

 private:
  struct Place {
    size_t begin = std::string::npos;
    const std::string* stop = nullptr;
  };
  size_t HeldBack() const;
  // The stop string that begins first in what is held.
  Place Find() const;
  std::string Match(const Place& place);

  std::vector<std::string> stops_;
  std::string pending_;
  std::string found_;
};

}  // namespace isoveil
