// Server-sent events, as inference servers write them: an incremental parser.
//
//   SseParser parser;
//   Status status = parser.Feed(chunk, [&](const SseEvent& event) -> Status { ... });
//   ...
//   ISOVEIL_RETURN_IF_ERROR(parser.Finish());
//
// Follows the "event stream interpretation" of the HTML standard: lines end with LF, CR or CRLF, also
// when a chunk ends between the two; a byte order mark may lead; comments, `id` and `retry` are
// skipped; several `data` lines are joined by LF. Besides, a line "error: {...}" counts as data of an
// event of type "error", because llama-server writes errors so. Unknown fields are skipped.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

struct SseEvent {
  std::string_view type;  // "message" unless the stream says otherwise
  std::string_view data;  // valid during the callback
};

// Not thread-safe. Holds at most one event.
class SseParser {
 public:
  using EventCallback = std::function<Status(const SseEvent&)>;

  // A larger event is kFormat: no server writes one.
  explicit SseParser(size_t max_event_bytes = 4 << 20) : max_event_bytes_(max_event_bytes) {}

  // Calls `on_event` for every event that `chunk` completes. Returns the first error, of the parser or
  // of the callback; the parser is of no use after that.
  Status Feed(std::string_view chunk, const EventCallback& on_event);

  // At the end of the stream: kUnavailable if it breaks off inside an event.
  Status Finish() const;

 private:
  Status EndLine(const EventCallback& on_event);
  Status EndEvent(const EventCallback& on_event);
  Status AddField(std::string_view line);
  Status TooLarge() const;

  size_t max_event_bytes_;
  std::string line_;
  std::string type_;
  std::string data_;
  bool has_data_ = false;
  bool first_line_ = true;
  bool after_cr_ = false;
};

}  // namespace isoveil
