// GET /v1/models, POST /tokenize and /detokenize
#include "isoveil/gateway/apis.h"

namespace isoveil {
namespace {

Json ModelJson(const ModelService& service) {
  Json json = {{"id", service.name}, {"object", "model"}, {"created", service.created}, {"owned_by", "isoveil"}};
  // The name that OpenRouter and LiteLLM gave it, and vLLM's.
  if (const auto n = service.n_context()) json["context_length"] = json["max_model_len"] = *n;
  return json;
}

Result<Json> TokenizeBody(const ModelService& service, const ApiRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  ISOVEIL_ASSIGN_OR_RETURN(const auto text, ReadText(body, "content"));
  if (!text) return BadMember("content", "a string");
  ISOVEIL_ASSIGN_OR_RETURN(const auto add_special, ReadBool(body, "add_special"));
  ISOVEIL_ASSIGN_OR_RETURN(const auto parse_special, ReadBool(body, "parse_special"));
  ISOVEIL_ASSIGN_OR_RETURN(const auto ids,
                           service.client.vocabulary.Tokenize(*text, {.add_special = add_special.value_or(false),
                                                                      .parse_special = parse_special.value_or(true)}));
  return Json{{"tokens", ids}};
}

Result<Json> DetokenizeBody(const ModelService& service, const ApiRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  const Json& tokens = Member(body, "tokens");
  if (!tokens.is_array()) return BadMember("tokens", "a list of token ids");
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<PlainId> ids, ReadPlainIds(service, "tokens", tokens));
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, service.client.vocabulary.Detokenize(ids, {.special = true}));
  return Json{{"content", text}};
}

}  // namespace

void Tokenize(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  reply.SendOrFail(TokenizeBody(service, request));
}

void Detokenize(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  reply.SendOrFail(DetokenizeBody(service, request));
}

void ListModels(const ModelService& service, const ApiRequest&, ReplyWriter& reply) {
  reply.SendJson(Json{{"object", "list"}, {"data", Json::array({ModelJson(service)})}});
}

void GetModel(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  if (request.target == service.name) return reply.SendJson(ModelJson(service));
  reply.Fail({.status = 404,
              .type = "invalid_request_error",
              .message = "there is no such model here; GET /v1/models lists what there is",
              .param = "model",
              .code = ApiCode::kModelNotFound,
              .final = true});
}

}  // namespace isoveil
