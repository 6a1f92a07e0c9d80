// A classifier whose server counts ids.
//
//   SmallClassifier small(ClassifierClient({"no", "yes"}, LabelFunction::kSoftmax));
//   CollectedReply reply = small.Post("/classify", R"({"input": "abc"})");
#pragma once

#include "isoveil/gateway/small_service_for_test.h"
#include "isoveil/tokenizer/own_keys.h"

namespace isoveil {

// A model whose server gives, for a text, as many numbers as there are labels: the mean of its ids modulo 7, 8, ...,
// less 3, in the key's order.
class LabellingUpstream final : public TypedUpstream {
 public:
  explicit LabellingUpstream(const ClientFolder& client) : client_(client) {}

  Result<UpstreamInfo> Probe(std::stop_token) override { return UpstreamInfo{.tasks = {TaskKind::kClassify}}; }
  Result<Contact> Look(std::stop_token) override { return Contact{}; }
  bool Stands(const Contact&) const override { return true; }
  Result<Vectors> Classify(const VectorRequest& request, std::stop_token) override {
    last = request;
    Vectors vectors;
    for (const auto& ids : request.inputs) {
      const auto moved = *client_.vectors.at("logits").Encrypt(Numbers(*client_.cipher.Decrypt(ids)));
      std::vector<float>& vector = vectors.emplace_back();
      for (const double x : moved) vector.push_back(static_cast<float>(x * (1 + noise)));
    }
    return vectors;
  }

  std::vector<double> Numbers(const std::vector<PlainId>& ids) const {
    std::vector<double> numbers(client_.vectors.at("logits").dim());
    for (size_t label = 0; label < numbers.size(); ++label) {
      for (const PlainId id : ids) numbers[label] += Value(id) % static_cast<int>(7 + label);
      numbers[label] = numbers[label] / static_cast<double>(ids.size()) - 3;
    }
    return numbers;
  }

  double noise = 0;
  VectorRequest last;

 private:
  const ClientFolder& client_;
};

inline constexpr PlainId kSmallSeparator{256};

// "[sep] first [sep] second [sep]", the second of type `second_type`.
inline Vocabulary WithPairs(int32_t second_type) {
  GgufMetadata metadata = SmallByteLevel();
  const int32_t sep = Value(kSmallSeparator);
  metadata.Set(kSpecialTokensKey, std::string("listed"));
  metadata.Set(kPairKey, std::vector<int32_t>{kFirstText, 0, sep, 0, kSecondText, second_type, sep, second_type});
  return Vocabulary::FromMetadata(metadata, "small").value();
}

inline ClientFolder ClassifierClient(std::vector<std::string> names, LabelFunction function, int32_t second_type = 0) {
  const ModelKey key(RootKey::Generate().value(), {});
  const SpaceRecord space{"labels", names.size(), Group::Permutation()};
  ClientFolder client = SmallService::MakeClient();
  client.vocabulary = WithPairs(second_type);
  client.manifest.ports.spaces.push_back(space);
  client.manifest.ports.spaces.push_back({"segments", 2, Group::Trivial()});
  std::erase_if(client.manifest.ports.list, [](const Port& port) { return port.kind == PortKind::kLogits; });
  client.manifest.ports.list.push_back({"token_type_ids", PortKind::kSegments, "segments"});
  client.manifest.ports.list.push_back({"logits", PortKind::kLabels, "labels", std::move(names), function});
  client.vectors.emplace("logits", *VectorCodec::Derive(key, space));
  return client;
}

struct SmallClassifier {
  explicit SmallClassifier(ClientFolder of) : client(std::move(of)) {}

  CollectedReply Post(std::string_view path, const std::string& body) {
    CollectedReply reply;
    for (const Endpoint& endpoint : Endpoints()) {
      if (endpoint.path == path) AnswerAt(endpoint, service, {.body = body, .id = "req_test", .cancel = {}}, reply);
    }
    return reply;
  }
  std::vector<double> Numbers(std::string_view text) const {
    return server.Numbers(*client.vocabulary.Tokenize(text, {.add_special = true}));
  }

  const ClientFolder client;
  LabellingUpstream server{client};
  ModelService service{.client = client, .upstream = &server, .name = "small"};
};

}  // namespace isoveil
