#include "isoveil/hub/web_address.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

TEST(WebAddress, Endpoints) {
  EXPECT_EQ(CheckEndpoint("https://hub.example/").value_or("error"), "https://hub.example");
  EXPECT_EQ(CheckEndpoint("http://127.0.0.1:8000/mirror//").value_or("error"), "http://127.0.0.1:8000/mirror");
  for (const char* text : {"", "hub.example", "ftp://hub.example", "file:///etc", "https://", "https://u@hub.example",
                           "https://u:secret@hub.example", "https://hub.example?x", "https://hub.example#x",
                           "https://hub.example:99999", "https://hub example"}) {
    const auto endpoint = CheckEndpoint(text);
    ASSERT_FALSE(endpoint) << text;
    EXPECT_EQ(endpoint.error().Message().find("secret"), std::string::npos);
  }
}

TEST(WebAddress, Redirects) {
  const auto from = [](const std::string& url, const std::string& location) {
    return FollowRedirect(url, location).value_or("refused");
  };
  EXPECT_EQ(from("https://h/a/b?c", "/d?e=f"), "https://h/d?e=f");
  EXPECT_EQ(from("https://h/a/b", "d"), "https://h/a/d");
  EXPECT_EQ(from("https://h/a", "//cdn.h/x"), "https://cdn.h/x");
  EXPECT_EQ(from("https://h/a", "https://cdn.h/x?Signature=1"), "https://cdn.h/x?Signature=1");
  EXPECT_EQ(from("http://h/a", "https://h/a"), "https://h/a");
  for (const char* location :
       {"", "http://h/a", "HTTP://h/a", "file:///etc/passwd", "ftp://h/a", "javascript:x", "https://u:p@h/"}) {
    EXPECT_EQ(from("https://h/a", location), "refused") << location;
  }
}

TEST(WebAddress, TheTokenStaysWithTheEndpoint) {
  EXPECT_TRUE(MayCarryToken("https://hub.example/x?y", "https://hub.example"));
  EXPECT_TRUE(MayCarryToken("https://HUB.example:443/x", "https://hub.example/mirror"));
  EXPECT_TRUE(MayCarryToken("http://127.0.0.1:80/x", "http://127.0.0.1"));
  for (const char* url :
       {"https://cdn.example/x", "https://hub.example.evil/x", "https://hub.example:444/x", "http://hub.example/x",
        "https://evil/hub.example", "https://hub.example@evil/", "nonsense", ""}) {
    EXPECT_FALSE(MayCarryToken(url, "https://hub.example")) << url;
  }
  // In clear only to this machine.
  EXPECT_FALSE(MayCarryToken("http://hub.example/x", "http://hub.example"));
}

TEST(WebAddress, SmallThings) { EXPECT_EQ(WithoutQuery("https://h/a?Signature=secret#x"), "https://h/a"); }

TEST(WebAddress, NextLinks) {
  EXPECT_EQ(NextLink(R"(<https://h/x?cursor=a,b>; rel="next")"), "https://h/x?cursor=a,b");
  EXPECT_EQ(NextLink(R"(</p>; rel="prev", </n>;title="a, b" ; rel="next")"), "/n");
  EXPECT_EQ(NextLink("</n>;rel=next"), "/n");
  for (const char* header : {"", "nonsense", R"(</p>; rel="prev")", "<", "<x", "<x>", R"(<x>; title="rel=next")",
                             ">;rel=next<", R"(<x>; title=")"}) {
    EXPECT_EQ(NextLink(header), "") << header;
  }
}

}  // namespace
}  // namespace isoveil
