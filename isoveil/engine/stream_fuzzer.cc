// Hostile bytes from a server: the event stream, every decoder, error bodies and URLs.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>

#include "isoveil/base/strict_json.h"
#include "isoveil/engine/server_kind.h"
#include "isoveil/net/http_client.h"
#include "isoveil/net/sse.h"

namespace isoveil {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

struct Parsed {
  std::vector<std::pair<std::string, std::string>> events;
  bool failed = false;

  bool operator==(const Parsed&) const = default;
};

Parsed Parse(std::string_view text, size_t chunk) {
  constexpr size_t kMaxEvent = 1 << 12;
  Parsed parsed;
  SseParser parser(kMaxEvent);
  for (; !text.empty() && !parsed.failed; text.remove_prefix(std::min(chunk, text.size()))) {
    const Status status = parser.Feed(text.substr(0, chunk), [&](const SseEvent& event) -> Status {
      Require(event.data.size() <= kMaxEvent);
      parsed.events.emplace_back(event.type, event.data);
      return Ok();
    });
    parsed.failed = !status;
  }
  if (!parsed.failed) parsed.failed = !parser.Finish();
  return parsed;
}

void Decode(const ServerKind& server, const Parsed& parsed) {
  const auto decoder = server.generate->new_decoder();
  for (const auto& [type, data] : parsed.events) {
    const auto event = ParseStrictJson(data, "event");
    if (!event) return;
    (void)server.embed->read(*event).has_value();
    if (server.classify != nullptr) (void)server.classify->read(*event).has_value();
    if (server.score != nullptr) {
      const auto scores = server.score->read(*event);
      for (size_t i = 0; scores && i < scores->size(); ++i) Require((*scores)[i].logprob.has_value() == (i > 0));
    }
    UpstreamInfo info;
    for (const std::string_view path : server.info_paths) server.read_info(path, *event, &info);
    const auto delta = decoder->Decode(*event);
    if (!delta) return;
    for (const GeneratedToken& token : delta->tokens) Require(Value(token.id) >= 0);
  }
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  FuzzedDataProvider provider(data, size);
  const auto chunk = provider.ConsumeIntegralInRange<size_t>(1, 64);
  const std::string text = provider.ConsumeRemainingBytesAsString();
  const Parsed whole = Parse(text, text.size() + 1);
  Require(whole == Parse(text, chunk));
  for (const ServerKind* server : ServerKinds()) Decode(*server, whole);
  for (const char c : ErrorBodyText(text)) Require(c >= ' ' && c < 0x7f);
  if (const auto url = Url::Parse(text, "URL")) {
    Require(*Url::Parse(url->ToString(), "URL") == *url);
    if (const auto next = url->Resolve(text.substr(text.size() / 2)))
      Require(*Url::Parse(next->ToString(), "URL") == *next);
  }
  return 0;
}
