#include "isoveil/gateway/json_frame.h"

#include <algorithm>
#include <cassert>

namespace isoveil {
namespace {

bool StandsForItself(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string JsonText(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), StandsForItself)) return Dump(Json(text));
  std::string quoted;
  quoted.reserve(text.size() + 2);
  return quoted.append("\"").append(text).append("\"");
}

JsonFrame::JsonFrame(const Json& document) {
  static const std::string hole = Dump(Json(kHole));
  const std::string text = Dump(document);
  size_t begin = 0;
  for (size_t end = text.find(hole); end != std::string::npos; end = text.find(hole, begin)) {
    pieces_.push_back(text.substr(begin, end - begin));
    begin = end + hole.size();
  }
  pieces_.push_back(text.substr(begin));
}

std::string JsonFrame::Fill(std::initializer_list<std::string_view> values) const {
  assert(values.size() + 1 == pieces_.size());
  std::string text = pieces_.front();
  size_t next = 1;
  for (const std::string_view value : values) text.append(value).append(pieces_[next++]);
  return text;
}

}  // namespace isoveil
