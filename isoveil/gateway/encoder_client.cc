#include "isoveil/gateway/encoder_client.h"

#include <cmath>
#include <numeric>

#include "isoveil/engine/vectors.h"
#include "isoveil/tokenizer/pair_encoding.h"

namespace isoveil {
namespace {

Status ScaleToOne(std::vector<double>& vector) {
  const double sum = std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0);
  if (!(sum > 0) || !std::isfinite(sum)) {
    return Fail(ErrorCode::kFormat, "upstream", "gives a vector without a direction");
  }
  for (double& x : vector) x /= std::sqrt(sum);
  return Ok();
}

tl::unexpected<Error> NoPort(std::string_view what) {
  return Fail(ErrorCode::kUnsupported, "model", fmt::format("gives no {}", what));
}

}  // namespace

std::string EncoderClient::LabelName(size_t label) const {
  const std::vector<std::string>& names = labels()->names;
  return names.empty() ? fmt::format("LABEL_{}", label) : names[label];
}

Result<std::vector<std::vector<WireId>>> EncoderClient::Encrypt(const std::vector<std::vector<PlainId>>& inputs) const {
  std::vector<std::vector<WireId>> encrypted;
  encrypted.reserve(inputs.size());
  for (const auto& ids : inputs) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<WireId> wire, client_.cipher.Encrypt(ids));
    encrypted.push_back(std::move(wire));
  }
  return encrypted;
}

Result<PlainVectors> EncoderClient::Ask(TaskKind task, const Port& port,
                                        const std::vector<std::vector<PlainId>>& inputs, std::stop_token cancel) const {
  const VectorCodec& codec = client_.vectors.find(port.name)->second;
  VectorRequest request{.inputs = {}, .dim = codec.dim()};
  ISOVEIL_ASSIGN_OR_RETURN(request.inputs, Encrypt(inputs));
  ISOVEIL_ASSIGN_OR_RETURN(const Vectors vectors, task == TaskKind::kEmbed
                                                      ? isoveil::Embed(server_, request, std::move(cancel))
                                                      : isoveil::Classify(server_, request, std::move(cancel)));
  PlainVectors plain;
  plain.reserve(vectors.size());
  for (const std::vector<float>& vector : vectors) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<double> decrypted,
                             codec.Decrypt(std::vector<double>(vector.begin(), vector.end())));
    plain.push_back(std::move(decrypted));
  }
  return plain;
}

Result<PlainVectors> EncoderClient::Embed(const std::vector<std::vector<PlainId>>& inputs,
                                          std::stop_token cancel) const {
  if (pooled() == nullptr) return NoPort("vectors");
  ISOVEIL_ASSIGN_OR_RETURN(PlainVectors vectors, Ask(TaskKind::kEmbed, *pooled(), inputs, std::move(cancel)));
  for (auto& vector : vectors) ISOVEIL_RETURN_IF_ERROR(ScaleToOne(vector));
  return vectors;
}

Result<PlainVectors> EncoderClient::Label(const std::vector<std::vector<PlainId>>& inputs,
                                          std::stop_token cancel) const {
  if (labels() == nullptr) return NoPort("labels");
  if (!client_.head) return Ask(TaskKind::kClassify, *labels(), inputs, std::move(cancel));
  const auto& ports = client_.manifest.ports.list;
  const auto input = std::find_if(ports.begin(), ports.end(), [&](const Port& port) {
    return port.kind == PortKind::kVectors && port.name == client_.head->input();
  });
  ISOVEIL_ASSIGN_OR_RETURN(const PlainVectors vectors, Ask(TaskKind::kEmbed, *input, inputs, std::move(cancel)));
  PlainVectors numbers;
  for (const auto& vector : vectors) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<double> of_labels, client_.head->Apply(vector));
    numbers.push_back(std::move(of_labels));
  }
  return numbers;
}

Status EncoderClient::ExpectReranker() const {
  if (n_labels() == 1) return Ok();
  return Fail(ErrorCode::kUnsupported, "model",
              fmt::format("gives {} labels of a text, a reranker gives one", n_labels()), "use it to classify");
}

Result<std::vector<PlainId>> EncoderClient::Pair(std::string_view first, std::string_view second,
                                                 TokenizeOptions options) const {
  ISOVEIL_ASSIGN_OR_RETURN(PairEncoding pair, TokenizePair(client_.vocabulary, first, second, options));
  const bool has_types = std::any_of(pair.types.begin(), pair.types.end(), [](int32_t type) { return type != 0; });
  const SpaceRecord* segments = client_.manifest.ports.SpaceOf(PortKind::kSegments);
  if (!has_types || segments == nullptr || segments->dim < 2) return std::move(pair.ids);
  return Fail(ErrorCode::kUnsupported, "model",
              "tells the two texts of a pair apart by token types, which servers do not take beside ids",
              "use a reranker without token types, as those of the XLM-RoBERTa kind");
}

std::vector<double> Scores(LabelFunction function, const std::vector<double>& numbers) {
  std::vector<double> scores = numbers;
  switch (function) {
    case LabelFunction::kNone: break;
    case LabelFunction::kSigmoid:
      for (double& x : scores) x = 1 / (1 + std::exp(-x));
      break;
    case LabelFunction::kSoftmax: {
      const double top = *std::max_element(scores.begin(), scores.end());
      for (double& x : scores) x = std::exp(x - top);
      const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
      for (double& x : scores) x /= sum;
      break;
    }
  }
  return scores;
}

}  // namespace isoveil
