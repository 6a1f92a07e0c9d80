#include "isoveil/net/sse.h"

#include <utility>

namespace isoveil {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Status SseParser::Feed(std::string_view chunk, const EventCallback& on_event) {
  while (!chunk.empty()) {
    if (std::exchange(after_cr_, false) && chunk.front() == '\n') {
      chunk.remove_prefix(1);
      continue;
    }
    const size_t end = chunk.find_first_of("\r\n");
    const std::string_view piece = chunk.substr(0, end);
    if (piece.size() > max_event_bytes_ - line_.size()) return TooLarge();
    line_.append(piece);
    if (end == std::string_view::npos) return Ok();
    after_cr_ = chunk[end] == '\r';
    chunk.remove_prefix(end + 1);
    ISOVEIL_RETURN_IF_ERROR(EndLine(on_event));
  }
  return Ok();
}

Status SseParser::EndLine(const EventCallback& on_event) {
  std::string_view line = line_;
  if (std::exchange(first_line_, false) && line.starts_with(kByteOrderMark)) {
    line.remove_prefix(kByteOrderMark.size());
  }
  Status status = line.empty() ? EndEvent(on_event) : AddField(line);
  line_.clear();
  return status;
}

Status SseParser::EndEvent(const EventCallback& on_event) {
  Status status = Ok();
  if (has_data_) status = on_event({.type = type_.empty() ? "message" : type_, .data = data_});
  type_.clear();
  data_.clear();
  has_data_ = false;
  return status;
}

Status SseParser::AddField(std::string_view line) {
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") {
    type_ = value;
  } else if (name == "data" || name == "error") {
    if (name == "error") type_ = "error";
    if (value.size() + 1 > max_event_bytes_ - data_.size()) return TooLarge();
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  }
  return Ok();
}

Status SseParser::TooLarge() const {
  return Fail(ErrorCode::kFormat, "event stream", fmt::format("an event is larger than {} bytes", max_event_bytes_),
              "is the URL that of an inference server?");
}

Status SseParser::Finish() const {
  if (line_.empty() && !has_data_) return Ok();
  return Fail(ErrorCode::kUnavailable, "event stream",
              "the stream breaks off inside an event: its closing empty line is missing",
              "the server, or a proxy before it, closed the connection; look at its log");
}

}  // namespace isoveil
