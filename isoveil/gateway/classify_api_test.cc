#include <gtest/gtest.h>

#include <cmath>

#include "isoveil/gateway/label_canary.h"
#include "isoveil/gateway/small_classifier_for_test.h"

namespace isoveil {
namespace {

const std::vector<std::string> kNames = {"sad", "neutral", "glad"};

TEST(Classify, LabelsComeInTheirAuthorsOrderWithTheirNames) {
  SmallClassifier labels(ClassifierClient(kNames, LabelFunction::kSoftmax));
  const CollectedReply reply = labels.Post("/classify", R"({"input": ["Hello", "abc", [99, 98]]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json answer = reply.json();
  ASSERT_EQ(answer["data"].size(), 3U);
  EXPECT_EQ(labels.server.last.inputs.size(), 3U);
  EXPECT_EQ(labels.server.last.dim, 3U);
  const std::vector<double> numbers = labels.Numbers("abc");
  double sum = 0;
  for (const double x : numbers) sum += std::exp(x);
  const Json& entry = answer["data"][1];
  EXPECT_EQ(entry["index"], 1);
  EXPECT_EQ(entry["num_classes"], 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(entry["probs"][i].get<double>(), std::exp(numbers[i]) / sum, 1e-6);
  EXPECT_EQ(entry["label"],
            kNames[static_cast<size_t>(std::max_element(numbers.begin(), numbers.end()) - numbers.begin())]);
  size_t n_sent = 0;
  for (const auto& ids : labels.server.last.inputs) n_sent += ids.size();
  EXPECT_EQ(answer["usage"]["prompt_tokens"], n_sent);
}

TEST(Classify, ScoresFollowTheModelsFunctionUnlessNumbersAreAskedFor) {
  const auto first = [](LabelFunction function, const std::string& more) {
    SmallClassifier labels(ClassifierClient({"relevance"}, function));
    const CollectedReply reply = labels.Post("/classify", R"({"input": "abc")" + more + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.json()["data"][0]["probs"][0].get<double>();
  };
  SmallClassifier labels(ClassifierClient({"relevance"}, LabelFunction::kNone));
  const double number = labels.Numbers("abc").front();
  EXPECT_NEAR(first(LabelFunction::kNone, ""), number, 1e-6);
  EXPECT_NEAR(first(LabelFunction::kSigmoid, ""), 1 / (1 + std::exp(-number)), 1e-6);
  EXPECT_NEAR(first(LabelFunction::kSigmoid, R"(, "use_activation": false)"), number, 1e-6);
  EXPECT_NEAR(first(LabelFunction::kSigmoid, R"(, "activation": false)"), number, 1e-6);
}

TEST(Classify, LabelsWithoutNamesHaveNumbers) {
  SmallClassifier labels(ClassifierClient({"a", "b"}, LabelFunction::kSoftmax));
  ClientFolder bare = ClassifierClient({"a", "b"}, LabelFunction::kSoftmax);
  bare.manifest.ports.list.back().names.clear();
  SmallClassifier nameless(std::move(bare));
  const std::string label = nameless.Post("/classify", R"({"input": "abc"})").json()["data"][0]["label"];
  EXPECT_TRUE(label.starts_with("LABEL_")) << label;
}

TEST(Classify, WhatCannotBeIsRefusedByName) {
  SmallClassifier labels(ClassifierClient(kNames, LabelFunction::kSoftmax));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "input"},
      {R"({"input": ""})", "input"},
      {R"({"input": [["a"]]})", "input"},
      {R"({"input": "a", "use_activation": "yes"})", "use_activation"},
      {R"({"input": "a", "truncate_prompt_tokens": 8})", "truncate_prompt_tokens"},
      {R"({"messages": [{"role": "user", "content": "a"}]})", "messages"}};
  for (const auto& [body, param] : cases) {
    const CollectedReply reply = labels.Post("/classify", body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_EQ(reply.json()["error"]["param"], param) << reply.body;
  }
  const CollectedReply chat = labels.Post("/v1/chat/completions", "{}");
  EXPECT_NE(chat.body.find("this model gives labels, and no text; use /classify"), std::string::npos) << chat.body;
}

class RerankTest : public testing::Test {
 protected:
  // The number of a pair as the test's model reads it.
  double Number(std::string_view query, std::string_view document) const {
    std::vector<PlainId> ids = *labels_.client.vocabulary.Tokenize(query);
    ids.push_back(kSmallSeparator);
    const std::vector<PlainId> second = *labels_.client.vocabulary.Tokenize(document);
    ids.insert(ids.end(), second.begin(), second.end());
    ids.push_back(kSmallSeparator);
    return labels_.server.Numbers(ids).front();
  }

  SmallClassifier labels_{ClassifierClient({"relevance"}, LabelFunction::kSigmoid)};
};

TEST_F(RerankTest, DocumentsComeBackBestFirst) {
  const CollectedReply reply =
      labels_.Post("/v1/rerank", R"({"query": "q", "documents": ["aaa", {"text": "zzz"}, "mmm"]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json results = reply.json()["results"];
  ASSERT_EQ(results.size(), 3U);
  double last = 2;
  for (const Json& result : results) {
    const std::string text = result["document"]["text"];
    const std::vector<std::string> sent = {"aaa", "zzz", "mmm"};
    EXPECT_EQ(sent[result["index"].get<size_t>()], text);
    EXPECT_NEAR(result["relevance_score"].get<double>(), 1 / (1 + std::exp(-Number("q", text))), 1e-6);
    EXPECT_LE(result["relevance_score"].get<double>(), last);
    last = result["relevance_score"];
  }
  EXPECT_EQ(reply.json()["usage"]["total_tokens"], 3 * (1 + 1 + 3 + 1));
}

TEST_F(RerankTest, FormsOfJinaCohereAndTextEmbeddingsInference) {
  const Json few =
      labels_.Post("/v2/rerank", R"({"query": "q", "documents": ["a", "b"], "top_n": 1, "return_documents": false})")
          .json();
  ASSERT_EQ(few["results"].size(), 1U);
  EXPECT_FALSE(few["results"][0].contains("document"));
  const Json bare = labels_.Post("/v1/rerank", R"({"query": "q", "texts": ["a", "b"], "raw_scores": true})").json();
  ASSERT_TRUE(bare.is_array());
  ASSERT_EQ(bare.size(), 2U);
  EXPECT_FALSE(bare[0].contains("text"));
  const char* best = bare[0]["index"] == 0 ? "a" : "b";
  EXPECT_NEAR(bare[0]["score"].get<double>(), Number("q", best), 1e-6);
}

TEST_F(RerankTest, WhatCannotBeIsRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"documents": ["a"]})", "query"},
      {R"({"query": "", "documents": ["a"]})", "query"},
      {R"({"query": "q"})", "documents"},
      {R"({"query": "q", "documents": []})", "documents"},
      {R"({"query": "q", "documents": [7]})", "documents"},
      {R"({"query": "q", "documents": [{"title": "a"}]})", "documents"},
      {R"({"query": "q", "documents": ["a"], "top_n": 0})", "top_n"},
      {R"({"query": "q", "documents": ["a"], "max_tokens_per_doc": 7})", "max_tokens_per_doc"},
      {R"({"query": "q", "documents": ["a"], "rank_fields": ["title"]})", "rank_fields"}};
  for (const auto& [body, param] : cases) {
    const CollectedReply reply = labels_.Post("/v1/rerank", body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_EQ(reply.json()["error"]["param"], param) << reply.body;
  }
  labels_.service.n_context = [] { return 4; };
  EXPECT_EQ(labels_.Post("/v1/rerank", R"({"query": "q", "documents": ["a", "too long"]})").json()["error"]["code"],
            "context_length_exceeded");
}

// The server would read the second text as the first.
TEST(Rerank, APairOfTwoTypesIsRefused) {
  SmallClassifier labels(ClassifierClient({"relevance"}, LabelFunction::kSigmoid, 1));
  const CollectedReply reply = labels.Post("/v1/rerank", R"({"query": "q", "documents": ["a"]})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("token types"), std::string::npos) << reply.body;
  SmallClassifier three(ClassifierClient(kNames, LabelFunction::kSoftmax));
  EXPECT_NE(three.Post("/v1/rerank", R"({"query": "q", "documents": ["a"]})").body.find("use it to classify"),
            std::string::npos);
}

// The client applies the head: the server gives vectors alone.
TEST(Classify, AHeadThatStayedMakesLabelsOfVectors) {
  ClientFolder client = ClassifierClient({"no", "yes"}, LabelFunction::kSoftmax);
  const ModelKey key(RootKey::Generate().value(), {});
  const SpaceRecord residual{"residual", 3, Group::SignedPermutation()};
  client.manifest.ports.spaces.push_back(residual);
  client.manifest.ports.list.push_back({"last_hidden_state", PortKind::kVectors, "residual"});
  client.vectors.emplace("last_hidden_state", *VectorCodec::Derive(key, residual));
  const Path path = Path(testing::TempDir()) / fmt::format("head-{}.safetensors", ::getpid());
  const std::vector<float> weight = {1, 2, 3, -1, 0, 0.5F};
  const std::vector<TensorInfo> infos = {{"classifier.weight", DType::kF32, {2, 3}}};
  const auto layout = LayOutSafetensors(infos, {});
  ASSERT_TRUE(layout);
  ASSERT_TRUE(WriteNewFile(path, layout->header + std::string(reinterpret_cast<const char*>(weight.data()), 24)));
  client.manifest.head = ClientHead{.input = "last_hidden_state", .layers = {{"classifier"}}};
  auto head = LabelHead::Open(path, *client.manifest.head, client.manifest.ports);
  std::filesystem::remove(path);
  ASSERT_TRUE(head) << head.error().Message();
  client.head = std::move(*head);

  class Embedder final : public TypedUpstream {
   public:
    explicit Embedder(const VectorCodec& codec) : codec_(codec) {}
    Result<UpstreamInfo> Probe(std::stop_token) override { return UpstreamInfo{}; }
    Result<Contact> Look(std::stop_token) override { return Contact{}; }
    bool Stands(const Contact&) const override { return true; }
    Result<Vectors> Embed(const VectorRequest&, std::stop_token) override {
      const auto moved = *codec_.Encrypt(std::vector<double>{0.5, -1, 2});
      return Vectors{{moved.begin(), moved.end()}};
    }

   private:
    const VectorCodec& codec_;
  };
  SmallClassifier labels(std::move(client));
  Embedder server(labels.client.vectors.at("last_hidden_state"));
  labels.service.upstream = &server;
  const Json probs =
      labels.Post("/classify", R"({"input": "abc", "use_activation": false})").json()["data"][0]["probs"];
  EXPECT_NEAR(probs[0].get<double>(), 0.5 - 2 + 6, 1e-6);
  EXPECT_NEAR(probs[1].get<double>(), -0.5 + 1, 1e-6);
}

class LabelCanaryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = Path(testing::TempDir()) / fmt::format("canary-{}-{}", ::getpid(), static_cast<const void*>(this));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Result<CanaryRecord> Admit(SmallClassifier& labels) {
    ISOVEIL_ASSIGN_OR_RETURN(const Admission admission, AdmitServer(folder_, labels.client, labels.server));
    return admission.record;
  }

  Path folder_;
};

TEST_F(LabelCanaryTest, TheSameModelIsKnownAndAnotherKeyIsNot) {
  SmallClassifier labels(ClassifierClient(kNames, LabelFunction::kSoftmax));
  EXPECT_EQ(*Admit(labels), CanaryRecord::kNew);
  EXPECT_EQ(labels.server.last.inputs.size(), 16U);
  EXPECT_EQ(*Admit(labels), CanaryRecord::kMatches);
  labels.server.noise = 0.01;
  EXPECT_EQ(*Admit(labels), CanaryRecord::kMatches) << "rounding";
  labels.server.noise = 0.5;
  EXPECT_EQ(Admit(labels).error().code, ErrorCode::kMismatch);
  SmallClassifier others(ClassifierClient(kNames, LabelFunction::kSoftmax));
  EXPECT_EQ(Admit(others).error().code, ErrorCode::kMismatch);
  SmallClassifier fewer(ClassifierClient({"relevance"}, LabelFunction::kSigmoid));
  EXPECT_EQ(Admit(fewer).error().code, ErrorCode::kMismatch);
}

TEST_F(LabelCanaryTest, ABrokenRecordIsAnErrorThatNamesTheFile) {
  SmallClassifier labels(ClassifierClient(kNames, LabelFunction::kSoftmax));
  for (const char* text : {"", "{", "[]", R"({"version": 2})", R"({"version": 2, "labels": []})",
                           R"({"version": 2, "labels": [[1, 2, 3]]})", R"({"version": 2, "labels": 7})"}) {
    std::filesystem::remove(folder_ / kCanaryFile);
    ASSERT_TRUE(WriteNewFile(folder_ / kCanaryFile, text));
    const auto record = Admit(labels);
    ASSERT_FALSE(record) << text;
    EXPECT_EQ(record.error().code, ErrorCode::kFormat) << text;
    EXPECT_NE(record.error().Message().find(kCanaryFile), std::string::npos) << record.error().Message();
  }
}

}  // namespace
}  // namespace isoveil
