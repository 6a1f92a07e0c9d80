// Vectors as servers write them, in tests/vectors/engine, and as they must not.
#include "isoveil/engine/vectors.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "isoveil/base/file.h"
#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/engine/upstream_factory.h"
#include "isoveil/net/fake_server_for_test.h"

namespace isoveil {
namespace {

using nlohmann::json;

class EmbedVectorTest : public testing::TestWithParam<std::string> {
 protected:
  // What comes of an answer; `sent` becomes the request's first line and body.
  Result<Vectors> Ask(const std::string& answer, uint64_t dim = 0) {
    const FakeServer server([&](FakeServer::Peer& peer) {
      line_ = peer.request().substr(0, peer.request().find("\r\n"));
      sent_ = peer.body();
      peer.SendJson(answer);
    });
    const auto upstream = *OpenUpstream(
        {.url = server.url(), .kind = *FindServerKind(vector_["kind"].get<std::string>()), .n_vocab = 300});
    const VectorRequest request{.inputs = vector_["inputs"].get<std::vector<std::vector<WireId>>>(), .dim = dim};
    return vector_.value("task", "embed") == "embed" ? Embed(*upstream, request) : Classify(*upstream, request);
  }
  std::string Refused(const json& answer, uint64_t dim = 0) {
    const auto vectors = Ask(answer.dump(), dim);
    if (vectors) return "";
    EXPECT_EQ(vectors.error().code, ErrorCode::kFormat) << vectors.error().Message();
    return vectors.error().Message();
  }

  const json vector_ = json::parse(*ReadTextFile(Path(ISOVEIL_SOURCE_DIR) / "tests/vectors/engine" / GetParam()));
  const std::string numbers_ = vector_.value("numbers", "embedding");  // what an entry's numbers are called
  std::string line_, sent_;
};

TEST_P(EmbedVectorTest, SendsTheRequestAndReadsTheAnswer) {
  const auto vectors = Ask(vector_["answer"].dump(), vector_["dim"]);
  ASSERT_TRUE(vectors) << vectors.error().Message();
  EXPECT_EQ(line_, "POST " + vector_["path"].get<std::string>() + " HTTP/1.1");
  EXPECT_EQ(json::parse(sent_), vector_["body"]);
  const json& expected = vector_["expected"];
  ASSERT_EQ(vectors->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ((*vectors)[i], expected[i].get<std::vector<float>>());
}

TEST_P(EmbedVectorTest, AnotherSizeOrNumberIsRefusedByName) {
  const auto names = [](const std::string& error, const std::string& what) {
    return error.find(what) != std::string::npos;
  };
  const size_t dim = vector_["dim"];
  EXPECT_TRUE(names(Refused(vector_["answer"], dim + 1), fmt::format("expected {} numbers, found {}", dim + 1, dim)));
  // The list of entries, and the numbers of the first one.
  const bool in_data = vector_["answer"].is_object();
  const auto changed = [&](const std::function<void(json & list, json & numbers)>& change) {
    json answer = vector_["answer"];
    json& list = in_data ? answer["data"] : answer;
    json& entry = list[0][numbers_];
    json& numbers = entry[0].is_array() ? entry[0] : entry;
    change(list, numbers);
    return Refused(answer);
  };
  EXPECT_TRUE(names(changed([](json& list, json&) { list.erase(1); }), "expected 2 vectors, found 1"));
  EXPECT_TRUE(names(changed([](json& list, json&) { list.clear(); }), "expected 2 vectors, found 0"));
  EXPECT_TRUE(
      names(changed([](json&, json& numbers) { numbers.push_back(0.5); }), fmt::format("expected {}", dim + 1)));
  EXPECT_TRUE(names(changed([](json&, json& numbers) { numbers[1] = nullptr; }), "expected a number, found null"));
  EXPECT_TRUE(names(changed([](json&, json& numbers) { numbers[1] = "1"; }), "expected a number, found string"));
  EXPECT_TRUE(names(changed([](json&, json& numbers) { numbers[1] = 1e39; }), "expected a finite number"));
  EXPECT_TRUE(names(changed([](json&, json& numbers) { numbers = json::array(); }), "expected 1 to 131072 numbers"));
  EXPECT_TRUE(names(changed([&](json& list, json& numbers) {
                      numbers = json::array();
                      for (int i = 0; i <= 1 << 17; ++i) numbers.push_back(0);
                      if (list.size() > 1) list[1][numbers_] = list[0][numbers_];
                    }),
                    "found 131073"));
  EXPECT_TRUE(names(changed([&](json& list, json&) { list[0].erase(numbers_); }), "expected an array, found nothing"));
  if (!vector_["answer"].is_array() || vector_["answer"][0].contains("index")) {
    for (const json& index : {json(1), json(2), json(-1), json(nullptr), json("0"), json(0.5)}) {
      EXPECT_TRUE(names(changed([&](json& list, json&) { list[0]["index"] = index; }), "each number below 2 once"))
          << index;
    }
  }
  for (const json& answer : {json(7), json::object(), json{{"data", 7}}, json{{"embedding", {"1"}}}, json(nullptr)}) {
    EXPECT_NE(Refused(answer), "") << answer;
  }
}

// NaN and infinity have no form in JSON; what writes them anyway is refused, and so is the same key twice.
TEST_P(EmbedVectorTest, WhatIsNoJsonIsRefused) {
  for (const char* text : {"", "[NaN]", "[Infinity]", R"({"data":[],"data":[]})", "[{\"embedding\":[[nan]]}]"}) {
    const auto vectors = Ask(text);
    ASSERT_FALSE(vectors) << text;
    EXPECT_EQ(vectors.error().code, ErrorCode::kFormat) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Engine, EmbedVectorTest,
                         testing::Values("llama-server-recorded-embed.json", "vllm-recorded-embed.json",
                                         "vllm-recorded-classify.json", "sglang-embed.json"));

TEST(EmbedTest, TheOrderIsThatOfTheIndex) {
  const FakeServer server([](FakeServer::Peer& peer) {
    peer.SendJson(R"({"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}]})");
  });
  const auto upstream = *OpenUpstream({.url = server.url(), .kind = &Vllm()});
  EXPECT_EQ(*Embed(*upstream, {.inputs = {WireIds({1}), WireIds({2})}}), (Vectors{{1, 2}, {3, 4}}));
}

TEST(EmbedTest, FormsOfOtherVersions) {
  // An older llama-server gives the vector itself; without pooling there is one for every token.
  EXPECT_EQ(*LlamaServer().embed->read(nlohmann::ordered_json::parse(R"([{"index":0,"embedding":[0.5,-1]}])")),
            (Vectors{{0.5F, -1}}));
  const auto unpooled =
      LlamaServer().embed->read(nlohmann::ordered_json::parse(R"([{"index":0,"embedding":[[1],[2]]}])"));
  ASSERT_FALSE(unpooled);
  EXPECT_NE(unpooled.error().problem.find("--pooling"), std::string::npos);
  EXPECT_EQ(*Sglang().embed->read(nlohmann::ordered_json::parse(R"({"embedding":[0.5,-1]})")), (Vectors{{0.5F, -1}}));
}

// A classifier's server that has failed is not told as one that generates nothing.
TEST(EmbedTest, AServerWithoutAnyTaskIsToldByTheOneThatFails) {
  const FakeServer server([](FakeServer::Peer& peer) {
    const std::string line = peer.request().substr(0, peer.request().find("\r\n"));
    if (line.starts_with("GET /v1/models ")) return peer.SendJson(R"({"data":[{"id":"m","owned_by":"vllm"}]})");
    peer.SendJson("{}", line.starts_with("POST /classify ") ? 500 : 404);
  });
  const auto upstream = *OpenUpstream({.url = server.url(), .kind = &Vllm(), .n_vocab = 300});
  const auto info = upstream->Probe();
  ASSERT_FALSE(info);
  EXPECT_NE(info.error().Message().find("POST /classify"), std::string::npos) << info.error().Message();
}

TEST(EmbedTest, BadInputsAreNotSent) {
  const FakeServer server([](FakeServer::Peer& peer) { peer.SendJson("{}"); });
  const auto upstream = *OpenUpstream({.url = server.url(), .kind = &Vllm(), .n_vocab = 300});
  for (const VectorRequest& request :
       {VectorRequest{}, VectorRequest{.inputs = {WireIds({1}), {}}}, VectorRequest{.inputs = {WireIds({300})}},
        VectorRequest{.inputs = {WireIds({1}), WireIds({-1})}}}) {
    EXPECT_EQ(Embed(*upstream, request).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(server.connections(), 0);
}

}  // namespace
}  // namespace isoveil
