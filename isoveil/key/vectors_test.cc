// The vectors of tests/vectors/key, which an independent implementation made from docs/keys.md.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "isoveil/key/draw.h"
#include "isoveil/key/model_key.h"

namespace isoveil {
namespace {

using nlohmann::json;

json Vectors(const std::string& name) {
  const std::string path = ISOVEIL_SOURCE_DIR "/tests/vectors/key/" + name;
  json cases = json::parse(ReadTextFile(path).value());
  EXPECT_FALSE(cases.empty()) << path;
  return cases;
}

RootKey RootOf(const json& c) {
  SecretBytes root = SecretBytes::Allocate(32).value();
  EXPECT_TRUE(ParseHex(c.at("root").get<std::string>(), root.InsecureMutableBytes(), "root"));
  return RootKey::FromSecret(std::move(root)).value();
}

KeyStream StreamOf(const json& c) {
  const auto identity = ParseModelIdentity(c.at("identity").get<std::string>(), "vector").value();
  return ModelKey(RootOf(c), identity).Stream(c.at("label").get<std::string>());
}

Group GroupOf(const json& c) {
  static const std::map<std::string, Move> kMoves = {{"permute", Move::kPermute},
                                                     {"sign", Move::kSign},
                                                     {"power_of_two", Move::kPowerOfTwo},
                                                     {"scale", Move::kScale},
                                                     {"mix_ones", Move::kMixOnes},
                                                     {"mix", Move::kMix},
                                                     {"shear", Move::kShear},
                                                     {"pair_sign", Move::kPairSign},
                                                     {"quarter_turn", Move::kQuarterTurn},
                                                     {"turn", Move::kTurn},
                                                     {"pair_scale", Move::kPairScale},
                                                     {"pair_power_of_two", Move::kPairPowerOfTwo}};
  uint32_t moves = 0;
  for (const json& move : c.at("group")) moves |= static_cast<uint32_t>(kMoves.at(move));
  const Group group = Group::Of(static_cast<Move>(moves));
  // A meet with runs keeps the moves and takes their granularity.
  return c.contains("granularity") ? Meet(group, Group::BlockPermutation(c.at("granularity"))) : group;
}

std::vector<double> Image(const Action& action, std::vector<double> x) {
  std::vector<double> scratch;
  action.Apply(x.data(), 1, 1, scratch);
  return x;
}

void ExpectClose(const std::vector<double>& found, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

TEST(KeyVectors, Streams) {
  for (const json& c : Vectors("streams.json")) {
    SCOPED_TRACE(c.at("label").get<std::string>());
    EXPECT_EQ(RootOf(c).key_id(), c.at("key_id").get<std::string>());
    KeyStream stream = StreamOf(c);
    std::vector<uint64_t> words(2112 / 8);
    for (uint64_t& word : words) word = stream.Next();
    const std::string hex = Hex(std::as_bytes(std::span(words)));
    EXPECT_EQ(hex.substr(0, 128), c.at("first_64_bytes").get<std::string>());
    EXPECT_EQ(hex.substr(4096), c.at("bytes_2048_to_2112").get<std::string>());
  }
}

TEST(KeyVectors, Numbers) {
  for (const json& c : Vectors("numbers.json")) {
    SCOPED_TRACE(c.at("label").get<std::string>());
    KeyStream stream = StreamOf(c);
    for (const json& value : c.at("values")) {
      if (c.at("kind") == "uniform") {
        EXPECT_EQ(stream.Uniform(c.at("n")), value.get<uint64_t>());
      } else if (c.at("kind") == "unit") {
        EXPECT_EQ(stream.Unit(), value.get<double>());
      } else {
        EXPECT_NEAR(stream.Normal(), value.get<double>(), 1e-14);
      }
    }
  }
}

TEST(KeyVectors, Permutations) {
  for (const json& c : Vectors("permutations.json")) {
    KeyStream stream = StreamOf(c);
    EXPECT_EQ(DrawPermutation(c.at("n"), stream, c.at("granularity")), c.at("source").get<std::vector<uint32_t>>())
        << c.at("label");
  }
}

TEST(KeyVectors, Partitions) {
  for (const json& c : Vectors("partitions.json")) {
    KeyStream stream = StreamOf(c);
    Group group = Meet(Group::Permutation(), Group::BlockPermutation(c.at("granularity")));
    for (const json& p : c.at("partitions")) {
      const auto how = p.at("blocks_move").get<bool>() ? Partition::Blocks::kMove : Partition::Blocks::kStay;
      group = Meet(group, Group::Keeping({.ends = p.at("ends").get<std::vector<uint64_t>>(), .blocks = how}));
    }
    EXPECT_EQ(DrawPermutation(group, c.at("n"), stream), c.at("source").get<std::vector<uint32_t>>()) << c.at("label");
  }
}

TEST(KeyVectors, Monomials) {
  for (const json& c : Vectors("monomials.json")) {
    SCOPED_TRACE(c.dump());
    KeyStream stream = StreamOf(c);
    const auto monomial = Draw(GroupOf(c), c.at("dim"), stream).AsMonomial();
    ASSERT_TRUE(monomial);
    EXPECT_EQ(monomial->source, c.at("source").get<std::vector<uint32_t>>());
    ExpectClose(monomial->scale, c.at("scale"), GroupOf(c).Has(Move::kScale) ? 1e-15 : 0);
  }
}

TEST(KeyVectors, Mixings) {
  for (const json& c : Vectors("mixings.json")) {
    SCOPED_TRACE(c.at("label").get<std::string>());
    KeyStream stream = StreamOf(c);
    std::vector<double> x(c.at("dim").get<size_t>());
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i + 1);
    const double size = static_cast<double>(x.size());
    ExpectClose(Image(Draw(GroupOf(c), x.size(), stream), x), c.at("image_of_1_to_dim"), 1e-12 * size * size);
  }
}

// The same scalars stand on the pairs of both layouts.
TEST(KeyVectors, RopeHeads) {
  for (const json& c : Vectors("rope_heads.json")) {
    for (const auto pairing : {RopeLayout::Pairing::kRotateHalf, RopeLayout::Pairing::kInterleaved}) {
      SCOPED_TRACE(c.dump());
      const RopeLayout layout{c.at("head_dim"), c.at("rotary_dim"), pairing};
      KeyStream stream = StreamOf(c);
      std::vector<double> x(layout.head_dim);
      for (size_t i = 0; i < x.size(); ++i) x[i] = 1.0 + static_cast<double>(i);
      std::vector<double> expected(layout.head_dim);
      const auto pairs = layout.Pairs();
      const auto scalars = c.at("scalars").get<std::vector<std::pair<double, double>>>();
      for (size_t p = 0; p < pairs.size(); ++p) {
        const auto [i, j] = pairs[p];
        expected[i] = scalars[p].first * x[i] - scalars[p].second * x[j];
        expected[j] = scalars[p].second * x[i] + scalars[p].first * x[j];
      }
      const auto source = c.at("rest").at("source").get<std::vector<uint32_t>>();
      const auto scale = c.at("rest").at("scale").get<std::vector<double>>();
      for (size_t i = 0; i < source.size(); ++i) {
        expected[layout.rotary_dim + i] = scale[i] * x[layout.rotary_dim + source[i]];
      }
      ExpectClose(Image(DrawRopeHead(GroupOf(c), layout, stream), x), expected,
                  GroupOf(c).Has(Move::kTurn) ? 1e-13 : 0);
    }
  }
}

}  // namespace
}  // namespace isoveil
