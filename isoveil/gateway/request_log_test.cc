#include "isoveil/gateway/request_log.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

using std::chrono::milliseconds;

const LogEntry kAnswered{.time = std::chrono::system_clock::time_point(milliseconds(1'700'000'000'007)),
                         .method = "POST",
                         .endpoint = "/v1/chat/completions",
                         .prompt_tokens = 30,
                         .completion_tokens = 16,
                         .ms = 123.44,
                         .first_token_ms = 12.34,
                         .server = "http://a:1"};
const LogEntry kRefused{
    .time = kAnswered.time, .method = "GET", .endpoint = "", .status = 404, .ms = 0.04, .server = ""};

TEST(RequestLogTest, Text) {
  EXPECT_EQ(LogLine(LogForm::kText, kAnswered),
            "2023-11-14T22:13:20.007Z POST /v1/chat/completions status=200 prompt_tokens=30 completion_tokens=16 "
            "ms=123.4 first_token_ms=12.3 server=http://a:1");
  EXPECT_EQ(
      LogLine(LogForm::kText, kRefused),
      "2023-11-14T22:13:20.007Z GET - status=404 prompt_tokens=0 completion_tokens=0 ms=0.0 first_token_ms=- server=-");
}

TEST(RequestLogTest, Json) {
  EXPECT_EQ(LogLine(LogForm::kJson, kAnswered),
            R"({"time":"2023-11-14T22:13:20.007Z","method":"POST","endpoint":"/v1/chat/completions","status":200,)"
            R"("prompt_tokens":30,"completion_tokens":16,"ms":123.4,"first_token_ms":12.3,"server":"http://a:1"})");
  EXPECT_EQ(LogLine(LogForm::kJson, kRefused),
            R"({"time":"2023-11-14T22:13:20.007Z","method":"GET","endpoint":null,"status":404,"prompt_tokens":0,)"
            R"("completion_tokens":0,"ms":0.0,"first_token_ms":null,"server":null})");
}

}  // namespace
}  // namespace isoveil
