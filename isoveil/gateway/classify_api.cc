// POST /classify
//
// Source: vLLM's API, where a classifier's scores are called probs.
#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/encoder_client.h"
#include "isoveil/gateway/message_builder.h"
#include "isoveil/gateway/refused_members.h"
#include "isoveil/gateway/text_inputs.h"

namespace isoveil {
namespace {

struct ClassifyRequest {
  std::vector<std::vector<PlainId>> inputs;
  bool scores = true;  // else the classifier's numbers as they are
};

Result<ClassifyRequest> ReadRequest(const ModelService& service, const ApiRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  ISOVEIL_RETURN_IF_ERROR(RefuseWhatCannotBe(body, ApiKind::kEncoder));
  ClassifyRequest read;
  // Two names of vLLM's for the same, the newer one first.
  for (const char* name : {"use_activation", "activation"}) {
    ISOVEIL_ASSIGN_OR_RETURN(const auto scores, ReadBool(body, name));
    if (!scores) continue;
    read.scores = *scores;
    break;
  }
  ISOVEIL_ASSIGN_OR_RETURN(const auto add_special, ReadBool(body, "add_special_tokens"));
  ISOVEIL_ASSIGN_OR_RETURN(
      read.inputs, ReadInputs(service, Member(body, "input"),
                              {.add_special = add_special.value_or(true), .parse_special = service.parse_special}));
  return read;
}

Result<Json> Answer(const ModelService& service, const ApiRequest& request) {
  const EncoderClient encoder(service.client, *service.upstream);
  ISOVEIL_ASSIGN_OR_RETURN(const ClassifyRequest read, ReadRequest(service, request));
  ISOVEIL_ASSIGN_OR_RETURN(const PlainVectors numbers, encoder.Label(read.inputs, request.cancel));
  Json data = Json::array();
  for (const std::vector<double>& of_input : numbers) {
    const auto best = std::max_element(of_input.begin(), of_input.end()) - of_input.begin();
    data.push_back({{"index", data.size()},
                    {"label", encoder.LabelName(static_cast<size_t>(best))},
                    {"probs", read.scores ? Scores(encoder.labels()->function, of_input) : of_input},
                    {"num_classes", of_input.size()}});
  }
  const size_t n_tokens = CountIds(read.inputs);
  return Json{{"id", RandomId("classify-")},
              {"object", "list"},
              {"created", service.created},
              {"model", service.name},
              {"data", std::move(data)},
              {"usage", {{"prompt_tokens", n_tokens}, {"completion_tokens", 0}, {"total_tokens", n_tokens}}}};
}

}  // namespace

void Classify(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  reply.SendOrFail(Answer(service, request));
}

}  // namespace isoveil
