// POST /v1/embeddings
//
// A server's pooler takes the first, the last or the mean of a text's vectors, each of which the key has moved in the
// same linear way: what comes back is moved alike. It is decrypted here and scaled to length 1, as OpenAI's are,
// whether the server has scaled it or not.
#include <sodium.h>

#include <bit>
#include <cmath>

#include "isoveil/engine/vectors.h"
#include "isoveil/gateway/apis.h"

namespace isoveil {
namespace {

// OpenAI's limit.
constexpr size_t kMaxInputs = 2048;

struct Embedding {
  std::vector<std::vector<PlainId>> inputs;
  bool as_base64 = false;
};

const Port& VectorPort(const ClientFolder& client) {
  const auto& ports = client.manifest.ports.list;
  return *std::find_if(ports.begin(), ports.end(), [](const Port& port) { return port.kind == PortKind::kVectors; });
}

bool IsIds(const Json& value) { return value.is_array() && !value.empty() && value.front().is_number(); }

Result<std::vector<PlainId>> ReadInput(const ModelService& service, const Json& input) {
  std::vector<PlainId> ids;
  if (input.is_string()) {
    // OpenAI refuses the empty text, of which nothing but control tokens would be left.
    if (input.get_ref<const std::string&>().empty()) return BadMember("input", "texts that are not empty");
    ISOVEIL_ASSIGN_OR_RETURN(
        ids, service.client.vocabulary.Tokenize(input.get_ref<const std::string&>(),
                                                {.add_special = true, .parse_special = service.parse_special}));
    if (ids.empty()) return BadMember("input", "at least one token of text");
  } else if (IsIds(input)) {
    ISOVEIL_ASSIGN_OR_RETURN(ids, ReadPlainIds(service, "input", input));
  } else {
    return BadMember("input", "a string, token ids, or a list of those");
  }
  const int64_t n_context = service.n_context().value_or(0);
  if (n_context > 0 && static_cast<int64_t>(ids.size()) > n_context) {
    return Fail(ErrorCode::kTooLong, "input",
                fmt::format("This model's maximum context length is {} tokens. However, an input has {} tokens",
                            n_context, ids.size()),
                "shorten it");
  }
  return ids;
}

Result<Embedding> ReadEmbedding(const ModelService& service, const ApiRequest& request, uint64_t dim) {
  ISOVEIL_ASSIGN_OR_RETURN(const Json body, ParseBody(request, service.limits.max_depth));
  ISOVEIL_ASSIGN_OR_RETURN(const auto format, ReadText(body, "encoding_format"));
  if (format && *format != "float" && *format != "base64") return BadMember("encoding_format", "float or base64");
  ISOVEIL_ASSIGN_OR_RETURN(const auto dimensions, ReadInteger(body, "dimensions", 1, INT64_MAX));
  if (dimensions && static_cast<uint64_t>(*dimensions) != dim) {
    return Fail(ErrorCode::kUnsupported, "dimensions",
                fmt::format("expected {}, the size of this model's vectors, or nothing", dim),
                "shorten vectors where you use them");
  }
  const Json& input = Member(body, "input");
  const Json list = input.is_array() && !input.empty() && !IsIds(input) ? input : Json::array({input});
  if (list.size() > kMaxInputs) return BadMember("input", fmt::format("at most {} inputs", kMaxInputs));
  Embedding embedding{.as_base64 = format == "base64"};
  for (const Json& entry : list) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<PlainId> ids, ReadInput(service, entry));
    embedding.inputs.push_back(std::move(ids));
  }
  return embedding;
}

Result<std::vector<float>> Decrypt(const VectorCodec& codec, const std::vector<float>& encrypted) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<double> plain,
                           codec.Decrypt(std::vector<double>(encrypted.begin(), encrypted.end())));
  double sum = 0;
  for (const double x : plain) sum += x * x;
  if (!(sum > 0) || !std::isfinite(sum)) {
    return Fail(ErrorCode::kFormat, "upstream", "gives a vector without a direction");
  }
  std::vector<float> unit;
  unit.reserve(plain.size());
  for (const double x : plain) unit.push_back(static_cast<float>(x / std::sqrt(sum)));
  return unit;
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
  const VectorCodec& codec = service.client.vectors.find(VectorPort(service.client).name)->second;
  ISOVEIL_ASSIGN_OR_RETURN(const Embedding embedding, ReadEmbedding(service, request, codec.dim()));
  VectorRequest sent{.inputs = {}, .dim = codec.dim()};
  size_t n_tokens = 0;
  for (const auto& ids : embedding.inputs) {
    n_tokens += ids.size();
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<WireId> wire, service.client.cipher.Encrypt(ids));
    sent.inputs.push_back(std::move(wire));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const Vectors vectors, Embed(*service.upstream, sent, request.cancel));
  Json data = Json::array();
  for (size_t i = 0; i < vectors.size(); ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> plain, Decrypt(codec, vectors[i]));
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", embedding.as_base64 ? Json(Base64(plain)) : Json(plain)}});
  }
  return Json{{"object", "list"},
              {"data", std::move(data)},
              {"model", service.name},
              {"usage", {{"prompt_tokens", n_tokens}, {"total_tokens", n_tokens}}}};
}

}  // namespace

void Embeddings(const ModelService& service, const ApiRequest& request, ReplyWriter& reply) {
  const Result<Json> answer = Answer(service, request);
  if (!answer) return reply.Fail(ToApiError(answer.error()));
  reply.SendJson(*answer);
}

}  // namespace isoveil
