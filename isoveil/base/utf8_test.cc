#include "isoveil/base/utf8.h"

#include <gtest/gtest.h>

#include "isoveil/base/result.h"

namespace isoveil {
namespace {

TEST(Utf8, CleanNames) {
  for (const char* good : {"a", "model.layers.0", "\u00e4", "\u20ac", "\U0001f511", "a b", "\xc2\xa0"}) {
    EXPECT_TRUE(IsCleanName(good, 100)) << good;
  }
  for (std::string_view bad :
       {std::string_view(""), std::string_view("\0", 1), std::string_view("\n"), std::string_view("\x7f"),
        std::string_view("\xc2\x80"), std::string_view("\xc2\x9f"), std::string_view("\x80"),
        std::string_view("\xc0\xaf"), std::string_view("\xc1\xbf"), std::string_view("\xe0\x9f\xbf"),
        std::string_view("\xed\xa0\x80"), std::string_view("\xf0\x8f\xbf\xbf"), std::string_view("\xf4\x90\x80\x80"),
        std::string_view("\xf5\x80\x80\x80"), std::string_view("\xe2\x82"), std::string_view("a\xff")}) {
    EXPECT_FALSE(IsCleanName(bad, 100)) << Quoted(bad);
  }
  EXPECT_TRUE(IsCleanName("abc", 3));
  EXPECT_FALSE(IsCleanName("abcd", 3));
}

}  // namespace
}  // namespace isoveil
