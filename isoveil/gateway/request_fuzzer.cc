// Hostile requests to every endpoint, on a server that answers at once: one answer or one stream, always
// JSON.
#include <cstdlib>

#include "isoveil/gateway/small_classifier_for_test.h"

namespace isoveil {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

bool IsJson(const std::string& text) { return Json::accept(text); }

void CheckReply(const CollectedReply& reply) {
  Require(reply.whole + (reply.has_events() ? 1 : 0) == 1);
  if (reply.whole == 1) {
    Require(IsJson(reply.body));
    // A response of /v1/responses has the field in any case, null if all went well.
    const Json body = Json::parse(reply.body);
    Require((reply.status == 200) == (body.is_array() || Member(body, "error").is_null()));
  }
  for (const auto& [name, data] : reply.events) Require(data == "[DONE]" || IsJson(data));
}

void CheckSent(const SmallService& small) {
  for (const GenerateRequest& request : small.upstream.requests) {
    Require(CheckRequest(request, small.upstream.n_vocab).has_value());
  }
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  static SmallService small;
  static SmallClassifier reranker(ClassifierClient({"relevance"}, LabelFunction::kSigmoid));
  const std::string body(reinterpret_cast<const char*>(data), size);
  small.service.limits.max_tokens = 64;
  for (const Endpoint& endpoint : Endpoints()) {
    if (endpoint.is_look) continue;
    small.upstream.requests.clear();
    CheckReply(small.PostTo(endpoint, body));
    CheckSent(small);
    if (endpoint.output == PortKind::kLabels) CheckReply(reranker.Post(endpoint.path, body));
  }
  return 0;
}
