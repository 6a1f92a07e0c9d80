// The endpoints' functions; endpoint.h has the table. Each reads its request, and writes one answer or a stream of
// events.
//
// Source: OpenAI's API description and Anthropic's; the forms of the chunks are those that the official clients read.
#pragma once

#include "isoveil/gateway/model_service.h"
#include "isoveil/gateway/reply.h"

namespace isoveil {

void ChatCompletions(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void Completions(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void Responses(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
// Anthropic's API: the same answers in its own form, and the length of a prompt, however long.
void Messages(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void CountMessageTokens(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
// What /v1/responses has stored under the id `request.target`.
void GetResponse(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void DeleteResponse(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
// Of a model that gives vectors.
void Embeddings(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
// Of a classifier: vLLM's form.
void Classify(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
// Of a classifier with one label: the forms of Jina, Cohere, llama-server and text-embeddings-inference.
void Rerank(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void Tokenize(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void Detokenize(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void ListModels(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
// kNotFound unless `request.target` is the name of the model.
void GetModel(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
// Of a service with a pool and metrics.
void Health(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void ShowStatus(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);
void ShowMetrics(const ModelService& service, const ApiRequest& request, ReplyWriter& reply);

}  // namespace isoveil
