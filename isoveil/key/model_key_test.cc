#include "isoveil/key/model_key.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace isoveil {
namespace {

RootKey Root(int first) {
  SecretBytes root = SecretBytes::Allocate(32).value();
  root.InsecureMutableBytes()[0] = static_cast<std::byte>(first);
  return RootKey::FromSecret(std::move(root)).value();
}

TEST(ModelKey, SameNamesGiveTheSameStream) {
  const ModelKey key(Root(1), ModelIdentity{});
  KeyStream a = key.Stream("vocab");
  KeyStream b = key.Stream("vocab");
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(a.Next(), b.Next());
}

TEST(ModelKey, EveryRootModelAndLabelHasAStreamOfItsOwn) {
  std::set<uint64_t> first_words;
  size_t n_streams = 0;
  for (const int root : {1, 2}) {
    for (const int model : {0, 1, 2}) {
      const ModelKey key(Root(root), ModelIdentity{static_cast<std::byte>(model)});
      for (const std::string_view label :
           {std::string_view(), std::string_view("vocab"), std::string_view("vocab "), std::string_view("Vocab"),
            std::string_view("vocab\0", 6), std::string_view("layer.1.vo"), std::string_view("layer.12.vo")}) {
        first_words.insert(key.Stream(label).Next());
        ++n_streams;
      }
    }
  }
  EXPECT_EQ(first_words.size(), n_streams);
}

TEST(ModelKey, StreamsAreIndependent) {
  const ModelKey key(Root(1), ModelIdentity{});
  const ModelKey other(Root(1), ModelIdentity{std::byte{1}});
  const auto agreeing_bits = [](KeyStream a, KeyStream b) {
    int agree = 0;
    for (int i = 0; i < 1000; ++i) agree += std::popcount(~(a.Next() ^ b.Next()));
    return agree;
  };
  // 64000 bits agree 32000 times, give or take 126.
  EXPECT_NEAR(agreeing_bits(key.Stream("a"), key.Stream("b")), 32000, 600);
  EXPECT_NEAR(agreeing_bits(key.Stream("a"), other.Stream("a")), 32000, 600);
}

TEST(ParseModelIdentity, NamesTheField) {
  EXPECT_TRUE(ParseModelIdentity(std::string(64, 'a'), "manifest.json"));
  const Result<ModelIdentity> identity = ParseModelIdentity(std::string(63, 'a'), "manifest.json");
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().where, "manifest.json: model_identity");
}

}  // namespace
}  // namespace isoveil
