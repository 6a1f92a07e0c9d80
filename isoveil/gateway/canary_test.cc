#include "isoveil/gateway/canary.h"

#include <gtest/gtest.h>

#include <fstream>

#include "isoveil/gateway/small_service_for_test.h"

namespace isoveil {
namespace {

class CanaryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        Path(testing::TempDir()) / fmt::format("canary-{}-{}", ::getpid(), static_cast<const void*>(this));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Canary Ask(const char* answer) {
    small_.upstream.answers = {answer};
    return AskCanary(small_.client, small_.upstream).value();
  }
  ErrorCode CodeOf(const Result<CanaryResult>& result) {
    return result ? ErrorCode::kExists : result.error().code;
  }

  Path folder_;
  SmallService small_;
};

TEST_F(CanaryTest, TheFirstAnswerIsKeptAndTheSameOneMatches) {
  EXPECT_EQ(CheckCanary(folder_, Ask("abcdefghijklmnop")), CanaryResult::kRecorded);
  EXPECT_EQ(CheckCanary(folder_, Ask("abcdefghijklmnop")), CanaryResult::kMatches);
}

TEST_F(CanaryTest, AnotherModelIsRefused) {
  EXPECT_EQ(CheckCanary(folder_, Ask("abcdefghijklmnop")), CanaryResult::kRecorded);
  const auto other = CheckCanary(folder_, Ask("qrstuvwxyzqrstuv"));
  EXPECT_EQ(CodeOf(other), ErrorCode::kMismatch);
  // The recorded one stays.
  EXPECT_EQ(CheckCanary(folder_, Ask("abcdefghijklmnop")), CanaryResult::kMatches);
}

TEST_F(CanaryTest, AnotherKeyIsRefused) {
  EXPECT_EQ(CheckCanary(folder_, Ask("abcdefghijklmnop")), CanaryResult::kRecorded);
  // The server's ids mean something else under this client's key.
  SmallService other;
  other.upstream.answers = {"abcdefghijklmnop"};
  ClientFolder client = SmallService::MakeClient();
  const auto seen = AskCanary(client, other.upstream);
  ASSERT_TRUE(seen);
  EXPECT_EQ(CodeOf(CheckCanary(folder_, *seen)), ErrorCode::kMismatch);
}

TEST_F(CanaryTest, AVocabularyOfAnotherSizeIsRefusedAtOnce) {
  small_.upstream.n_vocab = 262;
  const auto seen = AskCanary(small_.client, small_.upstream);
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, ErrorCode::kMismatch);
  EXPECT_TRUE(small_.upstream.requests.empty());
}

TEST_F(CanaryTest, NothingSecretIsAsked) {
  Ask("a");
  Ask("b");
  EXPECT_EQ(small_.upstream.requests[0].prompt, small_.upstream.requests[1].prompt) << "a fixed sequence";
  EXPECT_EQ(small_.upstream.requests[0].sampling.temperature, 0);
}

TEST_F(CanaryTest, ABrokenRecordIsAnErrorThatNamesTheFile) {
  for (const char* text : {"", "{", "[]", R"({"next": "a"})", R"({"next": [1e99], "first": []})",
                           R"({"next": [], "first": []})", R"({"next": [1], "first": [[1e99, 0]]})",
                           R"({"next": [1], "first": [[1, 1e99]]})", R"({"next": [1], "first": [1]})",
                           R"({"next": [-1], "first": []})"}) {
    std::ofstream(folder_ / kCanaryFile) << text;
    const auto result = CheckCanary(folder_, Ask("abcdefghijklmnop"));
    ASSERT_FALSE(result) << text;
    EXPECT_NE(result.error().Message().find(kCanaryFile), std::string::npos) << result.error().Message();
  }
}

TEST_F(CanaryTest, AFolderThatCannotBeWrittenToIsUsedWithoutARecord) {
  EXPECT_EQ(CheckCanary(folder_ / "missing", Ask("abcdefghijklmnop")), CanaryResult::kNotRecorded);
}

}  // namespace
}  // namespace isoveil
