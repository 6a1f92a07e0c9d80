#include "isoveil/net/http.h"

#include <algorithm>

namespace isoveil {
namespace {

constexpr size_t kMaxErrorBytes = 64 << 10;

}  // namespace

std::string HeaderOf(const HttpHeaders& headers, const std::string& lower_name) {
  const auto it = headers.find(lower_name);
  return it == headers.end() ? "" : it->second;
}

Status Exchange(HttpConnection& connection, const HttpRequest& request, const OnHead& on_start,
                const ChunkCallback& on_body, std::stop_token cancel, HttpAnswer& answer) {
  answer = {};
  const auto on_head = [&](const HttpHead& head) {
    answer.head = head;
    return answer.ok() && on_start ? on_start(head) : Ok();
  };
  const auto on_chunk = [&](std::string_view chunk) {
    if (answer.ok()) return on_body(chunk);
    answer.error_body.append(chunk.substr(0, kMaxErrorBytes - answer.error_body.size()));
    return Ok();
  };
  return connection.Send(request, on_head, on_chunk, std::move(cancel));
}

}  // namespace isoveil
