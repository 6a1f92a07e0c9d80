#include "isoveil/hub/token.h"

#include <map>

#include "isoveil/base/file.h"
#include "isoveil/base/temp_folder_for_test.h"

namespace isoveil {
namespace {

class TokenTest : public TempFolderTest {
 protected:
  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder() / name).parent_path());
    ASSERT_TRUE(WriteNewFile(folder() / name, text));
  }
  void Set(const std::string& name, const std::string& value) { variables_[name] = value; }
  Result<HubToken> Find() const {
    return FindHubToken([this](const char* name) {
      const auto it = variables_.find(name);
      return it == variables_.end() ? nullptr : it->second.c_str();
    });
  }
  std::string Text() const {
    const auto token = Find();
    return token ? token->InsecureText() : "error";
  }

 private:
  std::map<std::string, std::string> variables_;
};

TEST_F(TokenTest, NearerPlacesWin) {
  EXPECT_EQ(Text(), "");
  Set("HOME", folder() / "home");
  EXPECT_EQ(Text(), "");
  Write("home/.cache/huggingface/token", "hf_home\n");
  EXPECT_EQ(Text(), "hf_home");
  Set("XDG_CACHE_HOME", folder() / "cache");
  Write("cache/huggingface/token", "hf_cache");
  EXPECT_EQ(Text(), "hf_cache");
  Set("HF_HOME", folder() / "hf");
  Write("hf/token", "hf_hf\r\n");
  EXPECT_EQ(Text(), "hf_hf");
  Set("HF_TOKEN_PATH", folder() / "path");
  Write("path", "hf_path");
  EXPECT_EQ(Text(), "hf_path");
  Set("HUGGING_FACE_HUB_TOKEN", "hf_old");
  EXPECT_EQ(Text(), "hf_old");
  Set("HF_TOKEN", "");
  EXPECT_EQ(Text(), "hf_old");
  Set("HF_TOKEN", "hf_new");
  EXPECT_EQ(Text(), "hf_new");
}

TEST_F(TokenTest, RefusesWhatIsNoTokenWithoutRepeatingIt) {
  for (const char* text : {"hf_x\r\nHost: y", "hf x", "hf_\x01", "hf_\xc3\xa4"}) {
    Set("HF_TOKEN", text);
    const auto token = Find();
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().Message().find("hf_"), std::string::npos);
    EXPECT_NE(token.error().where.find("HF_TOKEN"), std::string::npos);
  }
}

}  // namespace
}  // namespace isoveil
