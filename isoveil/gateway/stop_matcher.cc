#include "isoveil/gateway/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace isoveil {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopMatcher::Append(std::string_view text) {
  if (matched()) return "";
  if (stops_.empty()) return std::string(text);
  pending_ += text;
  const Place first = Find();
  // A longer stop string may begin before the one that is complete, and still be on its way.
  const size_t held = pending_.size() - HeldBack();
  if (first.stop && first.begin <= held) return Match(first);
  std::string out = pending_.substr(0, held);
  pending_.erase(0, held);
  return out;
}

std::string StopMatcher::Finish() {
  if (const Place first = Find(); first.stop) return Match(first);
  return std::exchange(pending_, "");
}

StopMatcher::Place StopMatcher::Find() const {
  Place first;
  for (const std::string& stop : stops_) {
    const size_t begin = pending_.find(stop);
    if (begin < first.begin) first = {begin, &stop};
  }
  return first;
}

std::string StopMatcher::Match(const Place& place) {
  found_ = *place.stop;
  std::string out = pending_.substr(0, place.begin);
  pending_.clear();
  return out;
}

// The length of the longest end of the text that a stop string begins with.
size_t StopMatcher::HeldBack() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(stop.size() - 1, pending_.size()); n > longest; --n) {
      if (pending_.ends_with(std::string_view(stop).substr(0, n))) longest = n;
    }
  }
  return longest;
}

}  // namespace isoveil
