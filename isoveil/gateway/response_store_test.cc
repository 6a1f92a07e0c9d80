#include "isoveil/gateway/response_store.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

Json Message(const std::string& id, const std::string& text) {
  return {{"type", "message"}, {"id", id}, {"role", "assistant"}, {"content", text}};
}

StoredResponse Turn(int n, const std::string& previous = "") {
  const std::string number = std::to_string(n);
  return {.id = "resp_" + number,
          .previous = previous,
          .input = "question " + number,
          .output = Json::array({Message("msg_" + number, "answer " + number)}),
          .body = {{"id", "resp_" + number}}};
}

std::string Texts(const Result<Json>& items) {
  std::string text;
  for (const Json& item : items.value()) text += item["content"].get<std::string>() + ", ";
  return text;
}

TEST(ResponseStoreTest, AReferenceBecomesTheItem) {
  ResponseStore store;
  ASSERT_TRUE(store.Put(0, Turn(1)));
  const Json input =
      Json::parse(R"([{"role": "user", "content": "question 1"}, {"type": "item_reference", "id": "msg_1"},
                                     {"id": "msg_1"}, {"role": "user", "content": "and?"}])");
  EXPECT_EQ(Texts(store.Expand(0, input, "")), "question 1, answer 1, answer 1, and?, ");
  const auto unknown = store.Expand(
      0, Json::parse(R"([{"role": "user", "content": "a"}, {"type": "item_reference", "id": "msg_9"}])"), "");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(unknown.error().where, "input[1].id");
}

TEST(ResponseStoreTest, APreviousResponseBringsAllThatItContinues) {
  ResponseStore store;
  ASSERT_TRUE(store.Put(0, Turn(1)));
  ASSERT_TRUE(store.Put(0, Turn(2, "resp_1")));
  EXPECT_EQ(Texts(store.Expand(0, "question 3", "resp_2")), "question 1, answer 1, question 2, answer 2, question 3, ");
  ASSERT_TRUE(store.Remove(0, "resp_1"));
  const auto broken = store.Expand(0, "question 3", "resp_2");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().where, "previous_response_id");
}

TEST(ResponseStoreTest, AnotherKeyFindsNothing) {
  ResponseStore store;
  ASSERT_TRUE(store.Put(0, Turn(1)));
  EXPECT_TRUE(store.Find(0, "resp_1"));
  EXPECT_FALSE(store.Find(1, "resp_1"));
  EXPECT_FALSE(store.Remove(1, "resp_1"));
  EXPECT_FALSE(store.Expand(1, "more", "resp_1"));
  EXPECT_FALSE(store.Expand(1, Json::parse(R"([{"type": "item_reference", "id": "msg_1"}])"), ""));
}

TEST(ResponseStoreTest, TheLeastRecentlyUsedGoFirstAndTheBoundHolds) {
  ResponseStore store(20'000);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(store.Put(0, Turn(i)));
    ASSERT_TRUE(store.Find(0, "resp_0")) << "used every time";
    ASSERT_LE(store.bytes(), 20'000U);
  }
  EXPECT_TRUE(store.Find(0, "resp_199"));
  EXPECT_FALSE(store.Find(0, "resp_1"));
  EXPECT_FALSE(store.Expand(0, Json::parse(R"([{"type": "item_reference", "id": "msg_1"}])"), ""));
  StoredResponse large = Turn(1000);
  large.input = std::string(30'000, 'x');
  EXPECT_FALSE(store.Put(0, large));
  EXPECT_TRUE(store.Find(0, "resp_199"));
  ASSERT_TRUE(store.Remove(0, "resp_199"));
  EXPECT_FALSE(store.Find(0, "resp_199"));
}

TEST(ResponseStoreTest, ManyReferencesToOneItemDoNotFillTheMemory) {
  ResponseStore store(100'000);
  StoredResponse turn = Turn(1);
  turn.output[0]["content"] = std::string(10'000, 'x');
  ASSERT_TRUE(store.Put(0, turn));
  Json input = Json::array();
  for (int i = 0; i < 1000; ++i) input.push_back({{"type", "item_reference"}, {"id", "msg_1"}});
  const auto expanded = store.Expand(0, input, "");
  ASSERT_FALSE(expanded);
  EXPECT_EQ(expanded.error().code, ErrorCode::kInvalidArgument);
}

TEST(ResponseStoreTest, NothingIsStoredWithoutPlace) {
  ResponseStore store(0);
  EXPECT_FALSE(store.Put(0, Turn(1)));
  EXPECT_EQ(store.bytes(), 0U);
}

}  // namespace
}  // namespace isoveil
