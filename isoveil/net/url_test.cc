#include "isoveil/net/url.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

Result<Url> Base(std::string_view text) { return Url::ParseBase(text, "upstream URL"); }

TEST(UrlTest, ReadsItsParts) {
  const auto url = Base("http://GPU-1.example:8081/v2/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "gpu-1.example");
  EXPECT_EQ(url->port, 8081);
  EXPECT_EQ(url->path, "/v2");
  EXPECT_EQ(Base("http://[::1]:81")->host, "::1");
  EXPECT_EQ(Base("http://[::1]:81")->ToString(), "http://[::1]:81");
  EXPECT_EQ(Base("http://a")->port, 80);
  EXPECT_EQ(Base("HTTPS://a:443/b//")->ToString(), "https://a/b");
  const auto whole = Url::Parse("https://h/a%20b?c=/d?e", "URL");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->path, "/a%20b");
  EXPECT_EQ(whole->query, "?c=/d?e");
  EXPECT_EQ(whole->WithoutQuery(), "https://h/a%20b");
  EXPECT_EQ(whole->ToString(), "https://h/a%20b?c=/d?e");
  EXPECT_EQ(Url::Parse("http://h?q", "URL")->ToString(), "http://h?q");
}

TEST(UrlTest, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"",
                           "a:80",
                           "ftp://a",
                           "file:///etc",
                           "http:a",
                           "http:/a",
                           "http://",
                           "http://:80",
                           "http://a:0",
                           "http://a:65536",
                           "http://a:",
                           "http://a:8x",
                           "http://a b",
                           "http://a/?q",
                           "http://a?q",
                           "http://a/#f",
                           "http://a#f",
                           "http://a\\b",
                           "http://a/b\\c",
                           "http://[::1",
                           "http://[]:1",
                           "http://[::1]x",
                           "http://a/\r\nX: y",
                           "http://a\n",
                           "http://a/\x7f",
                           "http://\xc3\xa4",
                           "http://a/\xc3\xa4",
                           "http://%61"}) {
    const auto url = Base(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_EQ(url.error().where, "upstream URL");
    EXPECT_FALSE(url.error().hint.empty());
  }
}

TEST(UrlTest, NeverRepeatsAPassword) {
  for (const char* text : {"http://user:secret@a:80", "https://secret@a", "http://a:secret@b/x"}) {
    const auto url = Base(text);
    ASSERT_FALSE(url);
    EXPECT_EQ((url.error().Message() + url.error().hint).find("secret"), std::string::npos);
  }
}

TEST(UrlTest, ResolvesAsTheStandardDoes) {
  // RFC 3986, section 5.4, as far as these are addresses here.
  const Url base = *Url::Parse("http://a/b/c/d;p?q", "URL");
  for (const auto& [reference, expected] :
       std::vector<std::pair<const char*, const char*>>{{"g", "http://a/b/c/g"},
                                                        {"./g", "http://a/b/c/g"},
                                                        {"g/", "http://a/b/c/g/"},
                                                        {"/g", "http://a/g"},
                                                        {"//g", "http://g"},
                                                        {"?y", "http://a/b/c/d;p?y"},
                                                        {"g?y", "http://a/b/c/g?y"},
                                                        {"#s", "http://a/b/c/d;p?q"},
                                                        {"g#s", "http://a/b/c/g"},
                                                        {";x", "http://a/b/c/;x"},
                                                        {"", "http://a/b/c/d;p?q"},
                                                        {".", "http://a/b/c/"},
                                                        {"./", "http://a/b/c/"},
                                                        {"..", "http://a/b/"},
                                                        {"../", "http://a/b/"},
                                                        {"../g", "http://a/b/g"},
                                                        {"../..", "http://a/"},
                                                        {"../../g", "http://a/g"},
                                                        {"../../../g", "http://a/g"},
                                                        {"/./g", "http://a/g"},
                                                        {"/../g", "http://a/g"},
                                                        {"g.", "http://a/b/c/g."},
                                                        {"..g", "http://a/b/c/..g"},
                                                        {"./../g", "http://a/b/g"},
                                                        {"./g/.", "http://a/b/c/g/"},
                                                        {"g/../h", "http://a/b/c/h"},
                                                        {"g?y/../x", "http://a/b/c/g?y/../x"},
                                                        {"https://h:444/x", "https://h:444/x"},
                                                        {"HTTP://h/x", "http://h/x"}}) {
    const auto url = base.Resolve(reference);
    ASSERT_TRUE(url) << reference << url.error().Message();
    EXPECT_EQ(url->ToString(), expected) << reference;
  }
  EXPECT_EQ(Url::Parse("http://a", "URL")->Resolve("g")->ToString(), "http://a/g");
  for (const char* reference : {"javascript:x", "g:h", "ftp://h/a", "//u:p@h/", "http:g", "a b", "//"}) {
    EXPECT_FALSE(base.Resolve(reference)) << reference;
  }
}

TEST(UrlTest, OriginsAreComparedByTheirParts) {
  const auto same = [](const char* a, const char* b) { return Url::Parse(a, "")->HasOriginOf(*Url::Parse(b, "")); };
  EXPECT_TRUE(same("https://HUB.example:443/x", "https://hub.example/mirror?y"));
  for (const char* other : {"https://cdn.example/x", "https://hub.example.evil/x", "https://hub.example:444/x",
                            "http://hub.example/x", "http://hub.example:443/", "https://evil/hub.example"}) {
    EXPECT_FALSE(same(other, "https://hub.example")) << other;
  }
}

TEST(UrlTest, PercentEncoding) {
  EXPECT_EQ(PercentEncode("refs/pr/1", false), "refs%2Fpr%2F1");
  EXPECT_EQ(PercentEncode("a b/c#?%\xc3\xa4.json", true), "a%20b/c%23%3F%25%C3%A4.json");
}

}  // namespace
}  // namespace isoveil
