// A JSON document of which a few values change from event to event: made once, filled in many times.
//
//   const JsonFrame frame({{"index", 0}, {"delta", JsonFrame::kHole}});
//   frame.Fill({JsonText("Hello")})          // {"index":0,"delta":"Hello"}
//
// Immutable, and so safe to use from many threads.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/gateway/fields.h"

namespace isoveil {

// The text as a string of JSON, as Json::dump writes it; what is no UTF-8 becomes U+FFFD.
std::string JsonText(std::string_view text);

class JsonFrame {
 public:
  // Stands where a value is to come; no other text of a document may hold a zero byte.
  static inline const std::string kHole = std::string("\0", 1);

  JsonFrame() = default;
  explicit JsonFrame(const Json& document);

  // `values` are JSON, one for each hole, in order.
  std::string Fill(std::initializer_list<std::string_view> values) const;

 private:
  std::vector<std::string> pieces_;  // one more than there are holes
};

}  // namespace isoveil
