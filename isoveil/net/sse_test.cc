#include "isoveil/net/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace isoveil {
namespace {

using Events = std::vector<std::string>;

// "type|data" of all events of the pieces, fed one after the other.
Result<Events> Parse(const std::vector<std::string_view>& pieces, size_t max_event_bytes = 1000) {
  SseParser parser(max_event_bytes);
  Events events;
  for (const std::string_view piece : pieces) {
    ISOVEIL_RETURN_IF_ERROR(parser.Feed(piece, [&](const SseEvent& event) -> Status {
      events.push_back(fmt::format("{}|{}", event.type, event.data));
      return Ok();
    }));
  }
  ISOVEIL_RETURN_IF_ERROR(parser.Finish());
  return events;
}

TEST(SseTest, ReadsDataLinesAndTypes) {
  EXPECT_EQ(*Parse({"data: a\n\ndata:b\n\nevent: tick\ndata:  c\n\n"}), (Events{"message|a", "message|b", "tick| c"}));
}

TEST(SseTest, JoinsDataLines) { EXPECT_EQ(*Parse({"data: a\ndata: b\ndata\n\n"}), (Events{"message|a\nb\n"})); }

TEST(SseTest, SkipsCommentsPingsAndUnknownFields) {
  EXPECT_EQ(*Parse({": ping\n\nid: 7\nretry: 10\nfoo: bar\ndata: a\n: more\n\n\n\n"}), (Events{"message|a"}));
}

TEST(SseTest, ReadsLlamaServersErrorField) {
  EXPECT_EQ(*Parse({"error: {\"code\":500}\n\ndata: a\n\n"}), (Events{"error|{\"code\":500}", "message|a"}));
}

TEST(SseTest, AByteOrderMarkMayLead) {
  EXPECT_EQ(*Parse({"\xEF\xBB",
                    "\xBF"
                    "data: a\n\n"}),
            (Events{"message|a"}));
  EXPECT_EQ(*Parse({"data: x\n\n\xEF\xBB\xBF"
                    "data: a\n\n"}),
            (Events{"message|x"}));
}

// Wherever a network splits a stream, the events are the same.
TEST(SseTest, EverySplitGivesTheSameEvents) {
  const std::string lf = "data: one\n\n: c\nevent: e\ndata: two\ndata: three\n\ndata: four\n\n";
  std::string crlf;
  std::string cr;
  for (const char c : lf) {
    crlf += c == '\n' ? "\r\n" : std::string(1, c);
    cr += c == '\n' ? '\r' : c;
  }
  const Events expected = {"message|one", "e|two\nthree", "message|four"};
  for (const std::string& text : {lf, crlf, cr}) {
    for (size_t a = 0; a <= text.size(); ++a) {
      for (size_t b = a; b <= text.size(); ++b) {
        const std::string_view view = text;
        ASSERT_EQ(*Parse({view.substr(0, a), view.substr(a, b - a), view.substr(b)}), expected)
            << "split at " << a << " and " << b;
      }
    }
  }
}

TEST(SseTest, AStreamThatBreaksOffIsUnavailable) {
  EXPECT_EQ(Parse({"data: a\n\ndata: b"}).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Parse({"data: a\n\ndata: b\n"}).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(Parse({"data: a\n\n: b\n"}));
}

TEST(SseTest, AnOversizedLineOrEventIsRefused) {
  const std::string line(900, 'x');
  EXPECT_TRUE(Parse({"data: " + line + "\n\n"}));
  EXPECT_EQ(Parse({"data: " + line, line}).error().code, ErrorCode::kFormat);
  EXPECT_EQ(Parse({"data: " + line + "\ndata: " + line + "\n\n"}).error().code, ErrorCode::kFormat);
  // Many events may be larger together.
  EXPECT_EQ(Parse({"data: " + line + "\n\ndata: " + line + "\n\n"})->size(), 2U);
}

TEST(SseTest, TheCallbacksErrorEndsTheParsing) {
  SseParser parser;
  int events = 0;
  const Status status = parser.Feed("data: a\n\ndata: b\n\n", [&](const SseEvent&) -> Status {
    ++events;
    return Fail(ErrorCode::kFormat, "here", "no");
  });
  EXPECT_EQ(status.error().where, "here");
  EXPECT_EQ(events, 1);
}

}  // namespace
}  // namespace isoveil
