#include "isoveil/tokenizer/detokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/base/utf8.h"
#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

constexpr const char* kReplacement = "\xef\xbf\xbd";

// What a client sees piece by piece, all of it joined. Every piece must be whole characters.
std::string Streamed(const Vocabulary& vocabulary, std::span<const PlainId> ids, DetokenizeOptions options) {
  IncrementalDetokenizer detokenizer(vocabulary, options);
  std::string all;
  for (const PlainId id : ids) {
    const std::string piece = detokenizer.Append(id).value();
    EXPECT_TRUE(IsUtf8(piece));
    all += piece;
  }
  const std::string rest = detokenizer.Finish();
  EXPECT_TRUE(IsUtf8(rest));
  return all + rest;
}

void ExpectStreamIsWhole(const Vocabulary& vocabulary, std::span<const PlainId> ids) {
  for (const TextStart start : {TextStart::kWholeText, TextStart::kContinuation}) {
    for (const bool special : {false, true}) {
      const DetokenizeOptions options = {.start = start, .special = special};
      const std::string whole = vocabulary.Detokenize(ids, options).value();
      EXPECT_TRUE(IsUtf8(whole));
      EXPECT_EQ(Streamed(vocabulary, ids, options), whole);
    }
  }
}

// The texts of llama.cpp's own test vectors, and the ids that it gives them.
struct Golden {
  std::vector<std::string> texts;
  std::vector<std::vector<PlainId>> ids;
};

Golden ReadGolden(const Path& path) {
  Golden golden;
  constexpr std::string_view kMark = "\n__ggml_vocab_test__\n";
  const std::string inp = ReadBytes(path.string() + ".inp");
  for (size_t begin = 0; begin < inp.size();) {
    const size_t end = std::min(inp.find(kMark, begin), inp.size());
    golden.texts.push_back(inp.substr(begin, end - begin));
    begin = end + kMark.size();
  }
  std::istringstream out(ReadBytes(path.string() + ".out"));
  for (std::string line; std::getline(out, line);) {
    std::istringstream numbers(line);
    std::vector<PlainId> ids;
    for (int32_t id = 0; numbers >> id;) ids.push_back(PlainId{id});
    golden.ids.push_back(std::move(ids));
  }
  return golden;
}

class EveryVocabulary : public testing::TestWithParam<Path> {};

TEST_P(EveryVocabulary, GivesTheIdsOfItsVectorsAndStreamsTheirText) {
  const auto vocabulary = Vocabulary::Load(GetParam());
  ASSERT_TRUE(vocabulary) << vocabulary.error().Message();
  std::mt19937 random(1);
  std::vector<PlainId> anything(2000);
  for (PlainId& id : anything) id = static_cast<PlainId>(random() % vocabulary->n_tokens());
  ExpectStreamIsWhole(*vocabulary, anything);

  Golden golden = ReadGolden(GetParam());
  const bool has_vectors = std::filesystem::exists(GetParam().string() + ".inp");
  if (has_vectors) {
    ASSERT_GT(golden.texts.size(), 30u);
    ASSERT_GE(golden.ids.size(), golden.texts.size());
    for (size_t i = 0; i < golden.texts.size(); ++i) {
      EXPECT_EQ(*vocabulary->Tokenize(golden.texts[i]), golden.ids[i]) << i << ": " << golden.texts[i];
      ExpectStreamIsWhole(*vocabulary, golden.ids[i]);
    }
    return;
  }
  // No vectors of its own: any others' texts.
  golden = ReadGolden(GetParam().parent_path() / "ggml-vocab-llama-bpe.gguf");
  for (const std::string& text : golden.texts) {
    ExpectStreamIsWhole(*vocabulary, *vocabulary->Tokenize(text, {.add_special = true, .parse_special = true}));
  }
}

std::string NameOf(const testing::TestParamInfo<Path>& parameter) {
  std::string name = parameter.param.stem().string().substr(std::string_view("ggml-vocab-").size());
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Llama, EveryVocabulary, testing::ValuesIn(LlamaVocabularies()), NameOf);

class Bytes : public testing::TestWithParam<bool> {
 protected:
  // A vocabulary, and the token of a byte in it.
  Vocabulary vocabulary_ =
      Vocabulary::FromMetadata(GetParam() ? SmallSentencePiece() : SmallByteLevel(), "test").value();
  PlainId Byte(unsigned byte) const { return PlainId{static_cast<int32_t>(byte) + (GetParam() ? kFirstByte : 0)}; }
  std::vector<PlainId> Ids(std::string_view bytes) const {
    std::vector<PlainId> ids;
    for (const char c : bytes) ids.push_back(Byte(static_cast<unsigned char>(c)));
    return ids;
  }
};

TEST_P(Bytes, ACharacterComesWithTheTokenThatCompletesIt) {
  IncrementalDetokenizer detokenizer(vocabulary_, {.start = TextStart::kContinuation});
  EXPECT_EQ(*detokenizer.Append(Byte(0xf0)), "");
  EXPECT_EQ(*detokenizer.Append(Byte(0x9f)), "");
  EXPECT_EQ(*detokenizer.Append(Byte(0x99)), "");
  EXPECT_EQ(*detokenizer.Append(Byte(0x82)), "\xf0\x9f\x99\x82");
  EXPECT_EQ(*detokenizer.Append(Byte('x')), "x");
  EXPECT_EQ(detokenizer.Finish(), "");
}

TEST_P(Bytes, WhatNeverBecomesACharacterIsReplaced) {
  IncrementalDetokenizer detokenizer(vocabulary_, {.start = TextStart::kContinuation});
  EXPECT_EQ(*detokenizer.Append(Byte(0xf0)), "");
  EXPECT_EQ(*detokenizer.Append(Byte(0x9f)), "");
  EXPECT_EQ(*detokenizer.Append(Byte('x')), std::string(kReplacement) + "x");
  EXPECT_EQ(*detokenizer.Append(Byte(0x82)), kReplacement);
  EXPECT_EQ(*detokenizer.Append(Byte(0xe2)), "");
  EXPECT_EQ(detokenizer.Finish(), kReplacement);
  EXPECT_EQ(*detokenizer.Append(Byte('y')), "y");
}

TEST_P(Bytes, AnIdOutsideLeavesTheStreamAsItWas) {
  IncrementalDetokenizer detokenizer(vocabulary_, {.start = TextStart::kContinuation});
  EXPECT_EQ(*detokenizer.Append(Byte(0xc3)), "");
  for (const PlainId bad :
       {PlainId{-1}, static_cast<PlainId>(vocabulary_.n_tokens()), PlainId{std::numeric_limits<int32_t>::max()}}) {
    EXPECT_EQ(detokenizer.Append(bad).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(*detokenizer.Append(Byte(0xa9)), "\xc3\xa9");
}

TEST_P(Bytes, HostileOrdersNeverGiveIllFormedText) {
  std::mt19937 random(2);
  // Mostly the bytes at which the rules change.
  const std::string awkward = "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff";
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += awkward[random() % awkward.size()];
    const std::vector<PlainId> ids = Ids(bytes);
    ExpectStreamIsWhole(vocabulary_, ids);
    EXPECT_EQ(*vocabulary_.Detokenize(ids), RepairUtf8(bytes));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Bytes, testing::Bool());

TEST(Detokenizer, TheFirstSpaceOfSentencePiece) {
  const Vocabulary vocabulary = Vocabulary::FromMetadata(SmallSentencePiece(), "test").value();
  const int32_t space_a = kFirstWord + 3;
  const std::vector<PlainId> ids = PlainIds({1, space_a, space_a});
  EXPECT_EQ(*vocabulary.Tokenize("a a", {.add_special = true}), ids);
  EXPECT_EQ(*vocabulary.Detokenize(ids), "a a");
  EXPECT_EQ(*vocabulary.Detokenize(ids, {.start = TextStart::kContinuation}), " a a");
  EXPECT_EQ(*vocabulary.Detokenize(ids, {.special = true}), "<s> a a");
}

}  // namespace
}  // namespace isoveil
