#include "isoveil/gateway/json_frame.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

TEST(JsonTextTest, IsWhatTheLibraryWrites) {
  std::vector<std::string> texts = {
      "", "Hello", " it's \"so\"", "back\\slash", "Grüße 日本 🙂", "broken \xC3", "\x7F", "line\nfeed\ttab"};
  for (int c = 0; c < 256; ++c) texts.push_back(std::string("a") + static_cast<char>(c) + "b");
  for (const std::string& text : texts) {
    EXPECT_EQ(JsonText(text), Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)) << text;
  }
}

TEST(JsonFrameTest, FillsTheHolesInOrder) {
  const JsonFrame frame({{"a", JsonFrame::kHole}, {"b", {1, JsonFrame::kHole}}, {"c", "\\u0000"}});
  EXPECT_EQ(frame.Fill({JsonText("x\"y"), "7"}), R"({"a":"x\"y","b":[1,7],"c":"\\u0000"})");
  EXPECT_EQ(frame.Fill({"[]", "null"}), R"({"a":[],"b":[1,null],"c":"\\u0000"})");
  EXPECT_EQ(JsonFrame(Json{{"a", 1}}).Fill({}), R"({"a":1})");
}

}  // namespace
}  // namespace isoveil
