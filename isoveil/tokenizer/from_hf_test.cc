#include "isoveil/tokenizer/from_hf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/tokenizer/own_keys.h"
#include "isoveil/tokenizer/pair_encoding.h"
#include "isoveil/tokenizer/test_vocabularies.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// The comparison with Hugging Face itself is in tests/test_tokenizers.py; here is what must be refused.
class FromHf : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "isoveil-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const char* name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  Result<Vocabulary> Load(const ordered_json& tokenizer, uint64_t n_vocab = 300) const {
    Write("tokenizer.json", tokenizer.dump());
    ISOVEIL_ASSIGN_OR_RETURN(const GgufMetadata metadata, VocabularyFromHf(folder_, n_vocab));
    return Vocabulary::FromMetadata(metadata, folder_.string());
  }

  void ExpectRefused(const ordered_json& tokenizer, ErrorCode code, const char* mention) const {
    const auto vocabulary = Load(tokenizer);
    ASSERT_FALSE(vocabulary) << mention;
    EXPECT_EQ(vocabulary.error().code, code) << vocabulary.error().Message();
    EXPECT_NE(vocabulary.error().Message().find(mention), std::string::npos) << vocabulary.error().Message();
  }

  Path folder_;
};

ordered_json Added(uint64_t id, const char* content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

ordered_json ByteLevel() {
  ordered_json vocab = ordered_json::object();
  uint64_t id = 0;
  for (const std::string& name : ByteNames()) vocab[name] = id++;
  for (const char* token : {"he", "ll", "llo", "hello"}) vocab[token] = id++;
  return {{"added_tokens", ordered_json::array({Added(260, "<|im_end|>", true), Added(261, "<tool>", false)})},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"h e", "l l", "ll o", "he llo"}}}}};
}

ordered_json ByteFallback() {
  ordered_json vocab = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  uint64_t id = 3;
  for (int byte = 0; byte < 256; ++byte) vocab[fmt::format("<0x{:02X}>", byte)] = id++;
  for (const char* token : {"\u2581", "a", "b", "c", "ab", "bc", "\u2581a"}) vocab[token] = id++;
  return {
      {"added_tokens", ordered_json::array({Added(0, "<unk>", true), Added(1, "<s>", true), Added(2, "</s>", true)})},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "first"}, {"split", false}}},
      {"model",
       {{"type", "BPE"},
        {"unk_token", "<unk>"},
        {"byte_fallback", true},
        {"vocab", vocab},
        {"merges", ordered_json::parse(R"([["a", "b"], ["b", "c"], ["\u2581", "a"]])")}}}};
}

ordered_json WordPieces() {
  return {{"added_tokens",
           ordered_json::array({Added(0, "[UNK]", true), Added(1, "[CLS]", true), Added(2, "[SEP]", true)})},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", true},
            {"strip_accents", nullptr},
            {"lowercase", true}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", {{"type", "RobertaProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 5},
            {"vocab", {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"a", 3}, {"ab", 4}, {"##b", 5}, {",", 6}}}}}};
}

TEST_F(FromHf, ReadsWordPiece) {
  const auto vocabulary = Load(WordPieces());
  ASSERT_TRUE(vocabulary) << vocabulary.error().Message();
  EXPECT_EQ(vocabulary->kind(), VocabularyKind::kWordPiece);
  EXPECT_EQ(*vocabulary->Tokenize("ABB, \u00c1 abc abbbbb[SEP]", {.add_special = true, .parse_special = true}),
            PlainIds({1, 4, 5, 6, 3, 0, 0, 2, 2}));
  EXPECT_EQ(*vocabulary->Detokenize(PlainIds({1, 4, 5, 6, 3, 2})), "abb , a");
  EXPECT_EQ(*vocabulary->Detokenize(PlainIds({1, 4, 2}), {.special = true}), "[CLS] ab [SEP]");
  const auto pair = TokenizePair(*vocabulary, "a", "ab", {.add_special = true});
  ASSERT_TRUE(pair) << pair.error().Message();
  EXPECT_EQ(pair->ids, PlainIds({1, 3, 2, 2, 4, 2}));
  EXPECT_EQ(pair->types, std::vector<int32_t>(6));
}

ordered_json Unigrams() {
  return {
      {"added_tokens", ordered_json::array({Added(0, "<s>", true), Added(1, "</s>", true), Added(2, "<unk>", true)})},
      {"normalizer",
       {{"type", "Sequence"},
        {"normalizers", {{{"type", "NFKD"}}, {{"type", "StripAccents"}}, {{"type", "Lowercase"}}}}}},
      {"pre_tokenizer",
       {{"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "WhitespaceSplit"}}, {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"split", true}}}}}},
      {"post_processor", {{"type", "RobertaProcessing"}, {"sep", {"</s>", 1}}, {"cls", {"<s>", 0}}}},
      {"model",
       {{"type", "Unigram"},
        {"unk_id", 2},
        {"vocab", ordered_json::parse(R"([["<s>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["\u2581", -3.0],
                                              ["a", -2.0], ["b", -2.5], ["ab", -3.0], ["\u2581a", -2.25]])")}}}};
}

TEST_F(FromHf, ReadsUnigram) {
  const auto vocabulary = Load(Unigrams());
  ASSERT_TRUE(vocabulary) << vocabulary.error().Message();
  EXPECT_EQ(vocabulary->kind(), VocabularyKind::kUnigram);
  // -2.25 - 2.5 for "\u2581a" "b" is more than -3 - 3 for "\u2581" "ab"; unknown characters are one together.
  EXPECT_EQ(*vocabulary->Tokenize(" \u00c1B  xyzab</s>", {.add_special = true, .parse_special = true}),
            PlainIds({0, 7, 5, 3, 2, 6, 1, 1}));
  EXPECT_EQ(*vocabulary->Detokenize(PlainIds({0, 7, 5, 3, 6, 1})), "ab ab");
  EXPECT_EQ(*vocabulary->Tokenize("</s>"), PlainIds({3, 2}));
}

// What is spelled by a normalisation is a special token only where its entry says so.
TEST_F(FromHf, FindsTokensInNormalisedText) {
  ordered_json tokenizer = Unigrams();
  const auto upper = [&] { return *Load(tokenizer)->Tokenize("a</S> b", {.parse_special = true}); };
  EXPECT_EQ(upper(), PlainIds({7, 2, 3, 5}));
  tokenizer["added_tokens"][1]["normalized"] = true;
  tokenizer["added_tokens"][1]["rstrip"] = true;
  EXPECT_EQ(upper(), PlainIds({7, 1, 3, 5}));
  EXPECT_EQ(*Load(tokenizer)->Tokenize("a</S>"), PlainIds({7, 2}));
}

TEST_F(FromHf, ReadsVocabTxt) {
  Write("vocab.txt", "[PAD]\n[UNK]\r\n[CLS]\n[SEP]\n[MASK]\na\n##b\na");
  Write("tokenizer_config.json", R"({"do_lower_case": false})");
  const auto metadata = VocabularyFromHf(folder_, 9);
  ASSERT_TRUE(metadata) << metadata.error().Message();
  const auto vocabulary = Vocabulary::FromMetadata(*metadata, "model").value();
  EXPECT_EQ(*vocabulary.Tokenize("ab A", {.add_special = true}), PlainIds({2, 7, 6, 1, 3}));
  Write("tokenizer_config.json", R"({"tokenizer_class": "BertJapaneseTokenizer"})");
  EXPECT_EQ(VocabularyFromHf(folder_, 9).error().code, ErrorCode::kUnsupported);
  Write("tokenizer_config.json", R"({"do_lower_case": "no"})");
  EXPECT_EQ(VocabularyFromHf(folder_, 9).error().code, ErrorCode::kFormat);
}

TEST_F(FromHf, ReadsByteLevel) {
  Write("generation_config.json", R"({"eos_token_id": [260, 5, 6, 7, 5]})");
  ordered_json tokenizer = ByteLevel();
  tokenizer["normalizer"] = {{"type", "NFC"}};
  const auto vocabulary = Load(tokenizer);
  ASSERT_TRUE(vocabulary) << vocabulary.error().Message();
  EXPECT_EQ(vocabulary->n_tokens(), 300u);
  EXPECT_EQ(*vocabulary->Tokenize("hello<|im_end|>", {.parse_special = true}), PlainIds({259, 260}));
  EXPECT_EQ(*vocabulary->Tokenize("<tool>e\xcc\x81"), PlainIds({261, 0xc3, 0xa9}));
  EXPECT_EQ(vocabulary->special_ids().eos, PlainId{260});
  EXPECT_EQ(vocabulary->special_ids().end_of_generation, PlainIds({5, 6, 7, 260}));
  EXPECT_EQ(*vocabulary->Kind(PlainId{299}), TokenKind::kUnused);
  EXPECT_EQ(*vocabulary->Detokenize(PlainIds({299})), "");
}

TEST_F(FromHf, ReadsByteFallbackWithEveryPrefix) {
  const int32_t space = 259, a = 260, space_a = 265;
  const auto ids = [&](const char* scheme, const char* text) {
    ordered_json tokenizer = ByteFallback();
    tokenizer["pre_tokenizer"]["prepend_scheme"] = scheme;
    return Load(tokenizer).value().Tokenize(text, {.parse_special = true}).value();
  };
  EXPECT_EQ(ids("first", "a</s>a"), PlainIds({space_a, 2, a}));
  EXPECT_EQ(ids("always", "a</s>a"), PlainIds({space_a, 2, space_a}));
  EXPECT_EQ(ids("never", "a</s>a"), PlainIds({a, 2, a}));
  EXPECT_EQ(ids("always", " a"), PlainIds({space_a}));
  ordered_json legacy = ByteFallback();
  legacy["pre_tokenizer"] = nullptr;
  legacy["normalizer"] = ordered_json::parse(R"({"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]})");
  EXPECT_EQ(*Load(legacy).value().Tokenize(" a"), PlainIds({space, space_a}));
  EXPECT_EQ(*Load(legacy).value().Tokenize("a</s>a", {.parse_special = true}), PlainIds({space_a, 2, space_a}));
}

TEST_F(FromHf, AddsWhatThePostProcessorAdds) {
  const auto ids = [&](const char* single) {
    ordered_json tokenizer = ByteLevel();
    tokenizer["post_processor"] = {{"type", "TemplateProcessing"}, {"single", ordered_json::parse(single)}};
    return Load(tokenizer).value().Tokenize("a", {.add_special = true}).value();
  };
  // No file names a BOS token; llama.cpp alone would take token 11.
  EXPECT_EQ(ids(R"([{"SpecialToken": {"id": "<|im_end|>"}}, {"Sequence": {"id": "A"}}])"), PlainIds({260, 'a'}));
  EXPECT_EQ(ids(R"([{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<|im_end|>"}}])"), PlainIds({'a', 260}));
  EXPECT_EQ(ids(R"([{"Sequence": {"id": "A"}}])"), PlainIds({'a'}));
  ordered_json two = ByteLevel();
  two["post_processor"] = ordered_json::parse(R"({"type": "TemplateProcessing", "single": [
    {"SpecialToken": {"id": "<|im_end|>"}}, {"SpecialToken": {"id": "<tool>"}}, {"Sequence": {"id": "A"}}]})");
  ExpectRefused(two, ErrorCode::kUnsupported, "post_processor");
  ordered_json other = ByteLevel();
  Write("tokenizer_config.json", R"({"bos_token": "<tool>"})");
  other["post_processor"] = ordered_json::parse(R"({"type": "TemplateProcessing", "single": [
    {"SpecialToken": {"id": "<|im_end|>"}}, {"Sequence": {"id": "A"}}]})");
  ExpectRefused(other, ErrorCode::kUnsupported, "another token than bos_token");
  for (const char* single : {R"([{"Specyal": {"id": "A"}}])", R"([{"Sequence": "A"}])", R"(["A"])", "[[]]"}) {
    two["post_processor"] = {{"type", "TemplateProcessing"}, {"single", ordered_json::parse(single)}};
    ExpectRefused(two, ErrorCode::kFormat, "post_processor.single");
  }
  two["post_processor"] = {{"type", "Another"}};
  ExpectRefused(two, ErrorCode::kUnsupported, "Another");
  two["post_processor"] = {{"type", "BertProcessing"}, {"cls", {"[CLS]", 300}}};
  ExpectRefused(two, ErrorCode::kFormat, "post_processor.cls");
}

TEST_F(FromHf, MergesByRankInAnyOrder) {
  const int32_t a = 260, c = 262, ab = 263, bc = 264, abc = 266, abcb = 267, b = 261;
  const auto ids = [&](const char* merges, const char* text) {
    ordered_json tokenizer = ByteFallback();
    tokenizer["pre_tokenizer"]["prepend_scheme"] = "never";
    tokenizer["model"]["vocab"]["abc"] = abc;
    tokenizer["model"]["vocab"]["abcb"] = abcb;
    tokenizer["model"]["merges"] = ordered_json::parse(merges);
    const auto vocabulary = Load(tokenizer);
    return vocabulary ? vocabulary->Tokenize(text).value() : std::vector<PlainId>{};
  };
  // Only one of the two ways to make "abc".
  EXPECT_EQ(ids(R"(["b c", "a b", "ab c"])", "abc"), PlainIds({a, bc}));
  EXPECT_EQ(ids(R"([["b", "c"], ["a", "b"], ["a", "bc"]])", "abc"), PlainIds({abc}));
  // The merges of "abc" with another between them.
  EXPECT_EQ(ids(R"(["a b", "ab c", "c b", "b c", "abc b", "a bc"])", "abcb"), PlainIds({}));
  EXPECT_EQ(ids(R"(["a b", "ab c", "b c", "abc b", "a bc"])", "abcb"), PlainIds({abcb}));
  EXPECT_EQ(ids(R"(["b c", "a b", "abc b", "ab c"])", "abcb"), PlainIds({a, bc, b}));
  EXPECT_EQ(ids(R"(["a b"])", "abab c"), PlainIds({ab, ab, 259, c}));
}

TEST_F(FromHf, StripsBesideAddedTokens) {
  ordered_json tokenizer = ByteLevel();
  tokenizer["added_tokens"][0]["rstrip"] = true;
  tokenizer["added_tokens"][1]["lstrip"] = true;
  const auto vocabulary = Load(tokenizer);
  ASSERT_TRUE(vocabulary) << vocabulary.error().Message();
  EXPECT_EQ(*vocabulary->Tokenize("a <|im_end|>\n\u00a0\u3000 b  <tool> ", {.parse_special = true}),
            PlainIds({'a', ' ', 260, 'b', 261, ' '}));
  EXPECT_EQ(*vocabulary->Tokenize("<|im_end|> \n<tool>", {.parse_special = true}), PlainIds({260, 261}));
}

TEST_F(FromHf, NamesWhatItDoesNotKnow) {
  using Edit = std::function<void(ordered_json&)>;
  const std::tuple<ordered_json, Edit, const char*> cases[] = {
      {ByteLevel(), [](ordered_json& t) { t["model"]["type"] = "Markov"; }, "Markov"},
      {ByteLevel(), [](ordered_json& t) { t["model"]["dropout"] = 0.1; }, "dropout"},
      {ByteLevel(), [](ordered_json& t) { t["model"]["end_of_word_suffix"] = "</w>"; }, "end_of_word_suffix"},
      {ByteLevel(),
       [](ordered_json& t) {
         t["normalizer"] = {{"type", "Lowercase"}};
       },
       "Lowercase"},
      {ByteLevel(), [](ordered_json& t) { t["pre_tokenizer"]["add_prefix_space"] = true; }, "add_prefix_space"},
      {ByteLevel(), [](ordered_json& t) { t["pre_tokenizer"] = nullptr; }, "pre_tokenizer"},
      {ByteLevel(),
       [](ordered_json& t) {
         t["pre_tokenizer"] = {
             {"type", "Sequence"},
             {"pretokenizers",
              {{{"type", "Split"}, {"pattern", {{"Regex", "\\w+"}}}, {"behavior", "Isolated"}, {"invert", false}},
               t["pre_tokenizer"]}}};
       },
       "known to split like"},
      {ByteLevel(), [](ordered_json& t) { t["model"]["ignore_merges"] = true; }, "ignore_merges"},
      // Qwen 2's expression, but on characters.
      {ByteLevel(),
       [](ordered_json& t) {
         const char* expression =
             R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
         t["pre_tokenizer"] = {
             {"type", "Split"}, {"pattern", {{"Regex", expression}}}, {"behavior", "Isolated"}, {"invert", false}};
       },
       "expected a ByteLevel step"},
      {ByteLevel(), [](ordered_json& t) { t["added_tokens"][0]["single_word"] = true; }, "single_word"},
      {ByteLevel(), [](ordered_json& t) { t["model"]["vocab"].erase("!"); }, "byte"},
      {ByteFallback(), [](ordered_json& t) { t["model"]["vocab"].erase("<0x41>"); }, "256 byte tokens"},
      {ByteFallback(), [](ordered_json& t) { t["pre_tokenizer"]["split"] = true; }, "Metaspace"},
      {ByteFallback(), [](ordered_json& t) { t["pre_tokenizer"] = nullptr; }, "U+2581"},
      {ByteFallback(), [](ordered_json& t) { t["model"]["ignore_merges"] = true; }, "ignore_merges"},
      {WordPieces(), [](ordered_json& t) { t["normalizer"]["type"] = "Lowercase"; }, "Lowercase"},
      {Unigrams(), [](ordered_json& t) { t["normalizer"]["normalizers"][0]["type"] = "Nmt"; }, "'Nmt'"},
      {Unigrams(), [](ordered_json& t) { t["pre_tokenizer"]["pretokenizers"][0]["type"] = "Digits"; },
       "WhitespaceSplit"},
      {Unigrams(), [](ordered_json& t) { t["pre_tokenizer"]["pretokenizers"][1]["prepend_scheme"] = "first"; },
       "first"},
      {Unigrams(), [](ordered_json& t) { t["pre_tokenizer"]["pretokenizers"][1]["split"] = false; }, "no rule here"},
      {Unigrams(),
       [](ordered_json& t) {
         t["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", "a+"}}}};
       },
       "Replace of"},
      {WordPieces(), [](ordered_json& t) { t["pre_tokenizer"]["type"] = "Whitespace"; }, "BertPreTokenizer"},
      {WordPieces(), [](ordered_json& t) { t["model"]["continuing_subword_prefix"] = "@@"; }, "##"},
      {WordPieces(), [](ordered_json& t) { t["model"]["max_input_chars_per_word"] = 1000; }, "at most 256"},
      {WordPieces(), [](ordered_json& t) { t["added_tokens"][0]["normalized"] = true; }, "normalized"},
  };
  for (const auto& [base, edit, mention] : cases) {
    ordered_json tokenizer = base;
    edit(tokenizer);
    ExpectRefused(tokenizer, ErrorCode::kUnsupported, mention);
  }
}

TEST_F(FromHf, RefusesAMalformedUnigram) {
  using Edit = std::function<void(ordered_json&)>;
  const auto precompiled = [](const char* table) {
    return [table](ordered_json& t) { t["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", table}}; };
  };
  const std::pair<Edit, const char*> cases[] = {
      {[](ordered_json& t) { t["model"]["vocab"][4][1] = "x"; }, "texts with their scores"},
      {[](ordered_json& t) { t["model"]["vocab"][4][1] = 1e300; }, "finite size"},
      {[](ordered_json& t) { t["model"]["vocab"] = 7; }, "texts with their scores"},
      {[](ordered_json& t) { t["model"]["unk_id"] = nullptr; }, "unk_id"},
      {[](ordered_json& t) { t["model"]["unk_id"] = 4000000; }, "unk_id"},
      {precompiled("?"), "base64"},
      {precompiled("AAAA"), "ends within"},
  };
  for (const auto& [edit, mention] : cases) {
    ordered_json tokenizer = Unigrams();
    edit(tokenizer);
    ExpectRefused(tokenizer, ErrorCode::kFormat, mention);
  }
}

TEST_F(FromHf, RefusesWhatIsMalformed) {
  using Edit = std::function<void(ordered_json&)>;
  const std::pair<Edit, const char*> cases[] = {
      {[](ordered_json& t) { t = 7; }, "object"},
      {[](ordered_json& t) { t.erase("model"); }, "model"},
      {[](ordered_json& t) { t["model"]["vocab"] = 7; }, "vocab"},
      {[](ordered_json& t) { t["model"]["vocab"]["he"] = 300; }, "below 300"},
      {[](ordered_json& t) { t["model"]["vocab"]["he"] = -1; }, "below 300"},
      {[](ordered_json& t) { t["model"]["vocab"]["he"] = "x"; }, "below 300"},
      {[](ordered_json& t) { t["model"]["vocab"]["new"] = 5; }, "two texts"},
      {[](ordered_json& t) { t["model"]["merges"] = {"he"}; }, "merges"},
      {[](ordered_json& t) { t["model"]["merges"] = {7}; }, "merges"},
      {[](ordered_json& t) { t["added_tokens"] = {7}; }, "added_tokens"},
      {[](ordered_json& t) { t["added_tokens"][0]["id"] = 5; }, "two texts"},
      {[](ordered_json& t) {
         t["pre_tokenizer"] = {{"type", 7}};
       },
       ""},
  };
  for (const auto& [edit, mention] : cases) {
    ordered_json tokenizer = ByteLevel();
    edit(tokenizer);
    const auto vocabulary = Load(tokenizer);
    ASSERT_FALSE(vocabulary) << mention;
    EXPECT_NE(vocabulary.error().Message().find(mention), std::string::npos) << vocabulary.error().Message();
  }
  Write("tokenizer.json", "{\"model\": ");
  EXPECT_EQ(VocabularyFromHf(folder_, 300).error().code, ErrorCode::kFormat);
  std::filesystem::remove(folder_ / "tokenizer.json");
  EXPECT_EQ(VocabularyFromHf(folder_, 300).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(VocabularyFromHf(folder_, 0));
}

// Beside tokenizer.json, too, a field may have any type.
TEST_F(FromHf, ATemplateWithoutANameOfTextIsNone) {
  Write(
      "tokenizer_config.json",
      R"({"chat_template": [{"name": 5, "template": "x"}, {"name": ["default"]}, {"name": "default", "template": "{{ messages }}"}]})");
  EXPECT_EQ(Load(ByteLevel())->chat_template(), "{{ messages }}");
}

// Objects that are searched for every key would take minutes.
TEST_F(FromHf, LargeVocabulariesTakeLinearTime) {
  ordered_json tokenizer = ByteLevel();
  std::string text = tokenizer.dump();
  std::string more;
  for (int id = 300; id < 300000; ++id) more += fmt::format("\"w{}\":{},", id, id);
  const size_t place = text.find("\"vocab\":{") + 9;
  text.insert(place, more);
  Write("tokenizer.json", text);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(VocabularyFromHf(folder_, 300000));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 20);
}

}  // namespace
}  // namespace isoveil
