// POST /v1/embeddings
#include <sodium.h>

#include <bit>

#include "isoveil/gateway/apis.h"
#include "isoveil/gateway/encoder_client.h"
#include "isoveil/gateway/refused_members.h"
#include "isoveil/gateway/text_inputs.h"

namespace isoveil {
namespace {

struct EmbeddingRequest {
  std::vector<std::vector<PlainId>> inputs;
  bool as_base64 = false;
};

Result<EmbeddingRequest> ReadRequest(const ModelService& service, const ApiRequest& request, uint64_t dim) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  ISOVEIL_RETURN_IF_ERROR(RefuseWhatCannotBe(body, ApiKind::kEncoder));
  ISOVEIL_ASSIGN_OR_RETURN(const auto format, ReadText(body, "encoding_format"));
  if (format && *format != "float" && *format != "base64") return BadMember("encoding_format", "float or base64");
  ISOVEIL_ASSIGN_OR_RETURN(const auto dimensions, ReadInteger(body, "dimensions", 1, INT64_MAX));
  if (dimensions && static_cast<uint64_t>(*dimensions) != dim) {
    return Fail(ErrorCode::kUnsupported, "dimensions",
                fmt::format("expected {}, the size of this model's vectors, or nothing", dim),
                "shorten vectors where you use them");
  }
  EmbeddingRequest read{.inputs = {}, .as_base64 = format == "base64"};
  ISOVEIL_ASSIGN_OR_RETURN(read.inputs, ReadInputs(service, Member(body, "input"),
                                                   {.add_special = true, .parse_special = service.parse_special}));
  return read;
}

// Of single precision, the least significant byte first: what OpenAI's clients read.
std::string Base64(const std::vector<float>& vector) {
  static_assert(std::endian::native == std::endian::little);
  std::string text(sodium_base64_encoded_len(vector.size() * sizeof(float), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(vector.data()),
                    vector.size() * sizeof(float), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the zero at the end
  return text;
}

Result<Json> Answer(const ModelService& service, const ApiRequest& request) {
  const EncoderClient encoder(service.client, *service.upstream);
  ISOVEIL_ASSIGN_OR_RETURN(const EmbeddingRequest read, ReadRequest(service, request, encoder.dim()));
  ISOVEIL_ASSIGN_OR_RETURN(const PlainVectors vectors, encoder.Embed(read.inputs, request.cancel));
  Json data = Json::array();
  for (const std::vector<double>& vector : vectors) {
    const std::vector<float> floats(vector.begin(), vector.end());
    data.push_back({{"object", "embedding"},
                    {"index", data.size()},
                    {"embedding", read.as_base64 ? Json(Base64(floats)) : Json(floats)}});
  }
  const size_t n_tokens = CountIds(read.inputs);
  return Json{{"object", "list"},
              {"data", std::move(data)},
              {"model", service.name},
              {"usage", {{"prompt_tokens", n_tokens}, {"total_tokens", n_tokens}}}};
}

}  // namespace

void Embeddings(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  reply.SendOrFail(Answer(service, request));
}

}  // namespace isoveil
