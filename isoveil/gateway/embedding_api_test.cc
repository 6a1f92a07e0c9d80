#include <gtest/gtest.h>
#include <sodium.h>

#include <cmath>
#include <cstring>

#include "isoveil/gateway/embed_canary.h"
#include "isoveil/gateway/small_service_for_test.h"

namespace isoveil {
namespace {

constexpr uint64_t kDim = 8;

// A model without logits, whose server gives for a text the counts of its bytes modulo eight, as the key moves them.
class Embedder final : public TypedUpstream {
 public:
  explicit Embedder(const ClientFolder& client) : client_(client) {}

  Result<UpstreamInfo> Probe(std::stop_token) override { return UpstreamInfo{.tasks = {TaskKind::kEmbed}}; }
  Result<Contact> Look(std::stop_token) override { return Contact{}; }
  bool Stands(const Contact&) const override { return true; }
  Result<Vectors> Embed(const VectorRequest& request, std::stop_token) override {
    last = request;
    Vectors vectors;
    for (const auto& ids : request.inputs) {
      const auto moved = *client_.vectors.at("last_hidden_state").Encrypt(Counts(*client_.cipher.Decrypt(ids)));
      std::vector<float>& vector = vectors.emplace_back();
      for (const double x : moved) vector.push_back(static_cast<float>(x * scale));
      if (more > 0) vector.push_back(1);
    }
    return vectors;
  }

  static std::vector<double> Counts(const std::vector<PlainId>& ids) {
    std::vector<double> counts(kDim);
    for (const PlainId id : ids) ++counts[static_cast<size_t>(Value(id)) % kDim];
    return counts;
  }

  double scale = 1;
  int more = 0;
  VectorRequest last;

 private:
  const ClientFolder& client_;
};

ClientFolder EmbeddingClient() {
  const ModelKey key(RootKey::Generate().value(), {});
  const SpaceRecord space{"residual", kDim, Group::SignedPermutation()};
  ClientFolder client = SmallService::MakeClient();
  client.manifest.ports.spaces.push_back(space);
  std::erase_if(client.manifest.ports.list, [](const Port& port) { return port.kind == PortKind::kLogits; });
  client.manifest.ports.list.push_back({"last_hidden_state", PortKind::kVectors, "residual"});
  client.vectors.emplace("last_hidden_state", *VectorCodec::Derive(key, space));
  return client;
}

class EmbeddingsTest : public testing::Test {
 protected:
  CollectedReply Post(const std::string& body, std::string_view path = "/v1/embeddings") {
    CollectedReply reply;
    for (const Endpoint& endpoint : Endpoints()) {
      if (endpoint.path == path) AnswerAt(endpoint, service_, {.body = body, .id = "req_test", .cancel = {}}, reply);
    }
    return reply;
  }
  static std::vector<double> Unit(std::vector<double> vector) {
    double sum = 0;
    for (const double x : vector) sum += x * x;
    for (double& x : vector) x /= std::sqrt(sum);
    return vector;
  }
  std::vector<double> Expected(std::string_view text) const {
    std::vector<PlainId> ids = *client_.vocabulary.Tokenize(std::string(text), {.add_special = true});
    return Unit(Embedder::Counts(ids));
  }
  static void ExpectNear(const Json& found, const std::vector<double>& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i].get<double>(), expected[i], 1e-6);
  }

  const ClientFolder client_ = EmbeddingClient();
  Embedder server_{client_};
  ModelService service_{.client = client_, .upstream = &server_, .name = "small"};
};

TEST_F(EmbeddingsTest, TextsBecomeDecryptedVectorsOfLengthOne) {
  for (const double scale : {1.0, 0.01}) {
    server_.scale = scale;
    const CollectedReply reply = Post(R"({"model": "small", "input": ["Hello", "abc"]})");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json answer = reply.json();
    EXPECT_EQ(answer["object"], "list");
    EXPECT_EQ(answer["model"], "small");
    ASSERT_EQ(answer["data"].size(), 2U);
    EXPECT_EQ(answer["data"][1]["index"], 1);
    EXPECT_EQ(answer["data"][1]["object"], "embedding");
    ExpectNear(answer["data"][0]["embedding"], Expected("Hello"));
    ExpectNear(answer["data"][1]["embedding"], Expected("abc"));
    EXPECT_EQ(answer["usage"]["prompt_tokens"], answer["usage"]["total_tokens"]);
    EXPECT_EQ(server_.last.dim, kDim);
  }
}

TEST_F(EmbeddingsTest, EveryFormOfInput) {
  const auto first = [&](const char* input) {
    const CollectedReply reply = Post(fmt::format(R"({{"input": {}}})", input));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.json()["data"];
  };
  EXPECT_EQ(first(R"("abc")").size(), 1U);
  EXPECT_EQ(first("[97, 98, 99]").size(), 1U);
  EXPECT_EQ(first("[[97], [98, 99]]").size(), 2U);
  ExpectNear(first("[97, 98, 99]")[0]["embedding"], Unit(Embedder::Counts({PlainId{97}, PlainId{98}, PlainId{99}})));
  EXPECT_EQ(server_.last.inputs.front().size(), 3U);
}

// What OpenAI's clients ask for unless told otherwise.
TEST_F(EmbeddingsTest, Base64HoldsTheSameNumbers) {
  const Json plain = Post(R"({"input": "abc", "encoding_format": "float"})").json()["data"][0]["embedding"];
  const std::string text = Post(R"({"input": "abc", "encoding_format": "base64"})").json()["data"][0]["embedding"];
  std::vector<float> floats(kDim);
  size_t n = 0;
  ASSERT_EQ(sodium_base642bin(reinterpret_cast<unsigned char*>(floats.data()), kDim * sizeof(float), text.data(),
                              text.size(), nullptr, &n, nullptr, sodium_base64_VARIANT_ORIGINAL),
            0);
  ASSERT_EQ(n, kDim * sizeof(float));
  EXPECT_EQ(floats, plain.get<std::vector<float>>());
}

TEST_F(EmbeddingsTest, WhatCannotBeIsRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "input"},
      {R"({"input": ""})", "input"},
      {R"({"input": []})", "input"},
      {R"({"input": ["a", ""]})", "input"},
      {R"({"input": ["a", 7]})", "input"},
      {R"({"input": [97, "a"]})", "input"},
      {R"({"input": [97.5]})", "input"},
      {R"({"input": [-1]})", "input"},
      {R"({"input": [261]})", "input"},
      {R"({"input": [[]]})", "input"},
      {R"({"input": {"text": "a"}})", "input"},
      {R"({"input": "a", "dimensions": 4})", "dimensions"},
      {R"({"input": "a", "dimensions": "8"})", "dimensions"},
      {R"({"input": "a", "encoding_format": "int8"})", "encoding_format"},
      {R"({"input": "a", "encoding_format": 1})", "encoding_format"}};
  for (const auto& [body, param] : cases) {
    const CollectedReply reply = Post(body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_EQ(reply.json()["error"]["param"], param) << body;
  }
  EXPECT_EQ(Post(R"({"input": "a", "dimensions": 8})").status, 200);
  std::string many = R"({"input": [)";
  for (int i = 0; i < 2048; ++i) many += R"("a",)";
  EXPECT_EQ(Post(many + R"("a"]})").json()["error"]["param"], "input");
  service_.n_context = [] { return 3; };
  EXPECT_EQ(Post(R"({"input": ["a", "far too long"]})").json()["error"]["code"], "context_length_exceeded");
}

TEST_F(EmbeddingsTest, VectorsThatMakeNoSenseAreTheServersFault) {
  server_.more = 1;
  EXPECT_EQ(Post(R"({"input": "abc"})").json()["error"]["code"], "upstream_garbled");
  server_.more = 0;
  server_.scale = 0;
  EXPECT_EQ(Post(R"({"input": "abc"})").json()["error"]["code"], "upstream_garbled");
}

TEST_F(EmbeddingsTest, AModelSaysWhatItGives) {
  const CollectedReply chat = Post(R"({"messages": []})", "/v1/chat/completions");
  EXPECT_EQ(chat.status, 400);
  EXPECT_NE(chat.body.find("this model gives embeddings, and no text; use /v1/embeddings"), std::string::npos)
      << chat.body;
  EXPECT_EQ(Post("{}", "/v1/models").status, 200);
  SmallService text;
  for (const Endpoint& endpoint : Endpoints()) {
    if (endpoint.path != "/v1/embeddings") continue;
    const CollectedReply reply = text.PostTo(endpoint, R"({"input": "a"})");
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.json()["error"]["param"], "model");
    EXPECT_EQ(reply.json()["error"]["code"], "unsupported");
  }
}

class EmbedCanaryTest : public EmbeddingsTest {
 protected:
  void SetUp() override {
    folder_ = Path(testing::TempDir()) / fmt::format("canary-{}-{}", ::getpid(), static_cast<const void*>(this));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Result<CanaryRecord> Admit(const ClientFolder& client, Upstream& server) {
    ISOVEIL_ASSIGN_OR_RETURN(const Admission admission, AdmitServer(folder_, client, server));
    return admission.record;
  }

  Path folder_;
};

TEST_F(EmbedCanaryTest, TheSameModelIsKnownAndAnotherKeyIsNot) {
  EXPECT_EQ(*Admit(client_, server_), CanaryRecord::kNew);
  EXPECT_EQ(server_.last.inputs.front().size(), 24U);
  EXPECT_EQ(*Admit(client_, server_), CanaryRecord::kMatches);
  server_.scale = 0.01;
  EXPECT_EQ(*Admit(client_, server_), CanaryRecord::kMatches) << "scaled to length 1 or not";
  const ClientFolder other = EmbeddingClient();
  Embedder others_server(other);
  EXPECT_EQ(Admit(client_, others_server).error().code, ErrorCode::kMismatch);
  EXPECT_EQ(*Admit(client_, server_), CanaryRecord::kMatches) << "the record stays";
}

TEST_F(EmbedCanaryTest, ABrokenRecordIsAnErrorThatNamesTheFile) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"version": 2})", R"({"version": 2, "vector": []})", R"({"version": 2, "vector": 7})",
        R"({"version": 2, "vector": [0, 0]})", R"({"version": 2, "vector": [1e99]})",
        R"({"version": 3, "vector": [1]})", R"({"version": 2, "vector": ["1"]})"}) {
    std::filesystem::remove(folder_ / kCanaryFile);
    ASSERT_TRUE(WriteNewFile(folder_ / kCanaryFile, text));
    const auto record = Admit(client_, server_);
    ASSERT_FALSE(record) << text;
    EXPECT_EQ(record.error().code, ErrorCode::kFormat) << text;
    EXPECT_NE(record.error().Message().find(kCanaryFile), std::string::npos) << record.error().Message();
  }
}

}  // namespace
}  // namespace isoveil
