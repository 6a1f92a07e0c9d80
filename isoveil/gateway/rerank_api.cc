// POST /v1/rerank and /v2/rerank
//
// Source: the APIs of Jina and Cohere, whose members the one answer joins, and that of text-embeddings-inference, which
// is known by `texts` and answered with a bare list; llama-server takes both, too.
#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/encoder_client.h"
#include "isoveil/gateway/message_builder.h"
#include "isoveil/gateway/refused_members.h"
#include "isoveil/gateway/text_inputs.h"

namespace isoveil {
namespace {

struct RerankRequest {
  std::string query;
  std::vector<std::string> documents;
  size_t top_n = 0;
  bool returns_documents = true;
  bool scores = true;         // else the classifier's numbers as they are
  bool is_bare_list = false;  // as text-embeddings-inference answers
};

struct Ranked {
  size_t index = 0;
  double score = 0;
};

// A string, or {"text": ...}.
Result<std::vector<std::string>> ReadDocuments(const Json& list, const char* name) {
  if (!list.is_array() || list.empty()) return BadMember(name, "a list of at least one text");
  if (list.size() > kMaxInputs) return BadMember(name, fmt::format("at most {} texts", kMaxInputs));
  std::vector<std::string> documents;
  for (const Json& entry : list) {
    const Json& text = entry.is_object() ? Member(entry, "text") : entry;
    if (!text.is_string()) return BadMember(name, "texts, or objects with a text");
    documents.push_back(text.get<std::string>());
  }
  return documents;
}

Result<RerankRequest> ReadRequest(const ModelService& service, const ApiRequest& request) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  ISOVEIL_RETURN_IF_ERROR(RefuseWhatCannotBe(body, ApiKind::kEncoder));
  RerankRequest read{.is_bare_list = body.contains("texts")};
  ISOVEIL_ASSIGN_OR_RETURN(const auto query, ReadText(body, "query"));
  if (!query || query->empty()) return BadMember("query", "a text that is not empty");
  read.query = *query;
  const char* documents = read.is_bare_list ? "texts" : "documents";
  ISOVEIL_ASSIGN_OR_RETURN(read.documents, ReadDocuments(Member(body, documents), documents));
  ISOVEIL_ASSIGN_OR_RETURN(const auto top_n, ReadInteger(body, "top_n", 1, INT64_MAX));
  read.top_n = std::min(read.documents.size(), static_cast<size_t>(top_n.value_or(INT64_MAX)));
  ISOVEIL_ASSIGN_OR_RETURN(const auto returns, ReadBool(body, read.is_bare_list ? "return_text" : "return_documents"));
  read.returns_documents = returns.value_or(!read.is_bare_list);
  ISOVEIL_ASSIGN_OR_RETURN(const auto raw, ReadBool(body, "raw_scores"));
  read.scores = !raw.value_or(false);
  return read;
}

Result<std::vector<std::vector<PlainId>>> Pairs(const ModelService& service, const EncoderClient& encoder,
                                                const RerankRequest& read) {
  std::vector<std::vector<PlainId>> pairs;
  for (const std::string& document : read.documents) {
    ISOVEIL_ASSIGN_OR_RETURN(
        std::vector<PlainId> ids,
        encoder.Pair(read.query, document, {.add_special = true, .parse_special = service.parse_special}));
    ISOVEIL_RETURN_IF_ERROR(FitsContext(service, read.is_bare_list ? "texts" : "documents", ids));
    pairs.push_back(std::move(ids));
  }
  return pairs;
}

// The best first; of equal ones in the order of the request.
std::vector<Ranked> Rank(const EncoderClient& encoder, const RerankRequest& read, const PlainVectors& numbers) {
  std::vector<Ranked> ranked;
  for (const std::vector<double>& of_pair : numbers) {
    const double score = read.scores ? Scores(encoder.labels()->function, of_pair).front() : of_pair.front();
    ranked.push_back({ranked.size(), score});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
  ranked.resize(read.top_n);
  return ranked;
}

Json BareList(const RerankRequest& read, const std::vector<Ranked>& ranked) {
  Json list = Json::array();
  for (const auto& [index, score] : ranked) {
    list.push_back({{"index", index}, {"score", score}});
    if (read.returns_documents) list.back()["text"] = read.documents[index];
  }
  return list;
}

Json Results(const RerankRequest& read, const std::vector<Ranked>& ranked) {
  Json list = Json::array();
  for (const auto& [index, score] : ranked) {
    list.push_back({{"index", index}, {"relevance_score", score}});
    if (read.returns_documents) list.back()["document"] = {{"text", read.documents[index]}};
  }
  return list;
}

Result<Json> Answer(const ModelService& service, const ApiRequest& request) {
  const EncoderClient encoder(service.client, *service.upstream);
  ISOVEIL_RETURN_IF_ERROR(encoder.ExpectReranker());
  ISOVEIL_ASSIGN_OR_RETURN(const RerankRequest read, ReadRequest(service, request));
  ISOVEIL_ASSIGN_OR_RETURN(const auto pairs, Pairs(service, encoder, read));
  ISOVEIL_ASSIGN_OR_RETURN(const PlainVectors numbers, encoder.Label(pairs, request.cancel));
  const std::vector<Ranked> ranked = Rank(encoder, read, numbers);
  if (read.is_bare_list) return BareList(read, ranked);
  const size_t n_tokens = CountIds(pairs);
  return Json{{"id", RandomId("rerank-")},
              {"object", "list"},
              {"model", service.name},
              {"results", Results(read, ranked)},
              {"usage", {{"prompt_tokens", n_tokens}, {"total_tokens", n_tokens}}},
              {"meta", {{"billed_units", {{"search_units", 1}}}}}};
}

}  // namespace

void Rerank(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  reply.SendOrFail(Answer(service, request));
}

}  // namespace isoveil
