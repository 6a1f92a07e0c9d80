#include "isoveil/tokenizer/chat_examples.h"

#include <nlohmann/json.hpp>

#include "isoveil/base/temp_folder_for_test.h"

namespace isoveil {
namespace {

using nlohmann::json;

class ChatExamplesTest : public TempFolderTest {
 protected:
  Result<std::vector<std::string>> Read(const std::string& text) const {
    std::filesystem::remove(folder() / kChatExamplesFile);
    EXPECT_TRUE(WriteNewFile(folder() / kChatExamplesFile, text));
    return ReadChatExamples(folder());
  }
};

TEST_F(ChatExamplesTest, WithoutAFileThereAreNone) {
  const auto examples = ReadChatExamples(folder());
  ASSERT_TRUE(examples);
  EXPECT_TRUE(examples->empty());
}

TEST_F(ChatExamplesTest, AsManyAndAsLongAsAllowed) {
  const std::vector<std::string> most(8, std::string(500, 'x'));
  const auto examples = Read(json(most).dump());
  ASSERT_TRUE(examples) << examples.error().Message();
  EXPECT_EQ(*examples, most);
}

TEST_F(ChatExamplesTest, AnythingElseIsRefusedByName) {
  const std::vector<std::string> texts = {"",
                                          "{}",
                                          "null",
                                          "\"a\"",
                                          "[1]",
                                          "[null]",
                                          "[[\"a\"]]",
                                          "[\"\"]",
                                          "[\"a\"",
                                          "[\"\xff\"]",
                                          json(std::vector<std::string>(9, "x")).dump(),
                                          json({std::string(501, 'x')}).dump(),
                                          std::string(60000, '['),
                                          "[\"a\"]" + std::string(64 << 10, ' ')};
  for (const std::string& text : texts) {
    const auto examples = Read(text);
    ASSERT_FALSE(examples) << text.substr(0, 40);
    EXPECT_NE(examples.error().Message().find(kChatExamplesFile), std::string::npos) << examples.error().Message();
  }
}

}  // namespace
}  // namespace isoveil
