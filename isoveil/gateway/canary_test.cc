#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "isoveil/gateway/generate_canary.h"
#include "isoveil/gateway/small_service_for_test.h"

namespace isoveil {
namespace {

class CanaryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = Path(testing::TempDir()) / fmt::format("canary-{}-{}", ::getpid(), static_cast<const void*>(this));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Admission> Admit(const char* answer) {
    small_.upstream.answers = {answer};
    small_.upstream.requests.clear();
    return AdmitServer(folder_, small_.client, small_.upstream);
  }
  CanaryRecord RecordOf(const char* answer) { return Admit(answer).value().record; }
  ErrorCode CodeOf(const char* answer) {
    const auto result = Admit(answer);
    return result ? ErrorCode::kExists : result.error().code;
  }
  std::string Recorded() const { return ReadTextFile(folder_ / kCanaryFile).value(); }

  Path folder_;
  SmallService small_;
};

TEST_F(CanaryTest, TheFirstAnswerIsKeptAndTheSameOneMatches) {
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kNew);
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kMatches);
}

TEST_F(CanaryTest, AnotherModelIsRefused) {
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kNew);
  EXPECT_EQ(CodeOf("qrstuvwxyzqrstuv"), ErrorCode::kMismatch);
  // One that agrees for a while and then says something that was not likely.
  EXPECT_EQ(CodeOf("abcdefghqqqqqqqq"), ErrorCode::kMismatch);
  // The recorded one stays.
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kMatches);
}

TEST_F(CanaryTest, ProbabilitiesThatMovedAreAnotherModel) {
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kNew);
  std::string text = Recorded();
  for (size_t at = 0; (at = text.find("-0.25", at)) != std::string::npos; ++at) text.replace(at, 5, "-0.45");
  std::ofstream(folder_ / kCanaryFile, std::ios::trunc) << text;
  EXPECT_EQ(CodeOf("abcdefghijklmnop"), ErrorCode::kMismatch) << "0.2 at every step is no rounding";
}

TEST_F(CanaryTest, AVocabularyOfAnotherSizeIsRefusedAtOnce) {
  small_.upstream.n_vocab = 262;
  EXPECT_EQ(CodeOf("a"), ErrorCode::kMismatch);
  EXPECT_TRUE(small_.upstream.requests.empty());
}

// Whoever sees the question on the wire must not learn what a plain id is encrypted to.
TEST_F(CanaryTest, TheQuestionIsTheSameForEveryKey) {
  (void)Admit("a");
  const auto asked = small_.upstream.requests.at(0).prompt;
  SmallService other;
  (void)AdmitServer(folder_ / "other", other.client, other.upstream);
  EXPECT_EQ(other.upstream.requests.at(0).prompt, asked);
  EXPECT_FALSE(std::ranges::equal(other.client.cipher.source(), small_.client.cipher.source())) << "two keys";
}

// Records of the first version open; their question, made of plain ids, is asked no more than once.
TEST_F(CanaryTest, AnOldRecordIsReplaced) {
  std::ofstream(folder_ / kCanaryFile)
      << R"({"version": 1, "next": [97, 98, 99, 100, 101, 102], "first": [[97, -0.25], [98, -1.25]]})";
  EXPECT_EQ(CodeOf("xyzxyzxyzxyz"), ErrorCode::kMismatch);
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kMatches);
  EXPECT_EQ(small_.upstream.requests.size(), 2U);
  EXPECT_NE(Recorded().find("\"version\":2"), std::string::npos);
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kMatches);
  EXPECT_EQ(small_.upstream.requests.size(), 1U);
}

// A run that was killed between writing the new record and naming it leaves it beside the old one.
TEST_F(CanaryTest, ANewRecordThatWasLeftBehindIsTaken) {
  std::ofstream(folder_ / kCanaryFile)
      << R"({"version": 1, "next": [97, 98, 99], "first": [[97, -0.25], [98, -1.25]]})";
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kMatches);
  const std::string whole = Recorded();
  std::filesystem::rename(folder_ / kCanaryFile, folder_ / "canary.json.new");
  std::ofstream(folder_ / kCanaryFile)
      << R"({"version": 1, "next": [97, 98, 99], "first": [[97, -0.25], [98, -1.25]]})";
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kMatches);
  EXPECT_EQ(Recorded(), whole);
  EXPECT_FALSE(FileExists(folder_ / "canary.json.new"));
}

TEST_F(CanaryTest, ABrokenRecordIsAnErrorThatNamesTheFile) {
  for (const char* text :
       {"", "{", "[]", R"({"next": "a"})", R"({"next": [1e99], "first": []})", R"({"next": [], "first": []})",
        R"({"next": [1], "first": [[1e99, 0]]})", R"({"next": [1], "first": [[1, 1e99]]})",
        R"({"next": [1], "first": [1]})", R"({"next": [-1], "first": []})", R"({"version": 2, "steps": []})",
        R"({"version": 2, "steps": [[1]]})", R"({"version": 2, "steps": [[1, [[1]]]]})",
        R"({"version": 2, "steps": [["a", []]]})"}) {
    std::ofstream(folder_ / kCanaryFile, std::ios::trunc) << text;
    const auto result = Admit("abcdefghijklmnop");
    ASSERT_FALSE(result) << text;
    EXPECT_NE(result.error().Message().find(kCanaryFile), std::string::npos) << result.error().Message();
  }
}

TEST_F(CanaryTest, ARecordOfAnotherVersionIsRefusedByName) {
  for (const char* version : {"0", "3", "-1", "2.0", "\"2\"", "null", "18446744073709551617"}) {
    const auto canary = ParseCanary(fmt::format(R"({{"version": {}, "steps": [[1, []]]}})", version), "canary.json",
                                    *VocabCipher::FromPermutation({0, 1}));
    ASSERT_FALSE(canary) << version;
    EXPECT_EQ(canary.error().code, ErrorCode::kUnsupported) << version;
    EXPECT_NE(canary.error().Message().find("canary.json: expected version 1 or 2, found"), std::string::npos)
        << version;
  }
}

TEST_F(CanaryTest, AFolderThatCannotBeWrittenToIsUsedWithoutARecord) {
  folder_ /= "missing";
  EXPECT_EQ(RecordOf("abcdefghijklmnop"), CanaryRecord::kNotWritten);
}

}  // namespace
}  // namespace isoveil
