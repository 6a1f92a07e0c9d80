// The key files of tests/vectors/key/files: those that must open for ever, and one file for each way to be
// refused. A fixture is lines "field: value", an empty line, and the key file:
//
//   expect       ok, or the error's code
//   error, also  parts of the error's message
//   root         what an opened file holds
//   passphrase   given to OpenKeyFile
//   mode         of the file, octal; 600 if absent
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "isoveil/base/temp_folder_for_test.h"
#include "isoveil/crypto/hash.h"
#include "isoveil/key/key_file.h"

namespace isoveil {
namespace {

struct Fixture {
  std::map<std::string, std::string> fields;
  std::string text;
};

Fixture Load(const Path& path) {
  const std::string all = ReadTextFile(path).value();
  Fixture fixture;
  size_t begin = 0;
  while (all.at(begin) != '\n') {
    const size_t end = all.find('\n', begin);
    const size_t colon = all.find(": ", begin);
    fixture.fields[all.substr(begin, colon - begin)] = all.substr(colon + 2, end - colon - 2);
    begin = end + 1;
  }
  fixture.text = all.substr(begin + 1);
  return fixture;
}

std::optional<SecretBytes> PassphraseOf(const Fixture& fixture) {
  const auto found = fixture.fields.find("passphrase");
  if (found == fixture.fields.end()) return std::nullopt;
  return SecretBytes::CopyOf(std::as_bytes(std::span(found->second))).value();
}

using KeyFixtureTest = TempFolderTest;

TEST_F(KeyFixtureTest, EveryFileOpensOrIsRefusedAsItSays) {
  size_t n_opened = 0;
  size_t n_refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ISOVEIL_SOURCE_DIR "/tests/vectors/key/files")) {
    SCOPED_TRACE(entry.path().filename().string());
    Fixture fixture = Load(entry.path());
    const Path path = folder() / entry.path().filename();
    std::ofstream(path, std::ios::binary) << fixture.text;
    const std::string mode = fixture.fields.contains("mode") ? fixture.fields["mode"] : "600";
    std::filesystem::permissions(path, static_cast<std::filesystem::perms>(std::stoi(mode, nullptr, 8)));

    const Result<RootKey> key = OpenKeyFile(path, PassphraseOf(fixture));
    if (fixture.fields.at("expect") == "ok") {
      ASSERT_TRUE(key) << key.error().Message();
      EXPECT_EQ(Hex(key->secret().InsecureBytes()), fixture.fields.at("root"));
      EXPECT_EQ(ReadKeyFileHeader(path)->key_id, key->key_id());
      ++n_opened;
      continue;
    }
    ASSERT_FALSE(key);
    EXPECT_EQ(ErrorCodeName(key.error().code), fixture.fields.at("expect"));
    const std::string message = key.error().Message();
    EXPECT_TRUE(message.starts_with(path.string())) << message;
    EXPECT_NE(message.find(fixture.fields.at("error")), std::string::npos) << message;
    EXPECT_NE(message.find(fixture.fields["also"]), std::string::npos) << message;
    EXPECT_FALSE(key.error().hint.empty()) << message;
    // Neither the root nor the passphrase is told.
    const std::string told = message + key.error().hint;
    EXPECT_EQ(told.find("3ceb103f"), std::string::npos) << told;
    EXPECT_EQ(told.find("pferd"), std::string::npos) << told;
    ++n_refused;
  }
  EXPECT_EQ(n_opened, 3U);
  EXPECT_GE(n_refused, 70U);
}

// Every truncation and every change of one byte of a sealed file is refused.
TEST_F(KeyFixtureTest, NoDamageIsOverlooked) {
  const Fixture fixture = Load(ISOVEIL_SOURCE_DIR "/tests/vectors/key/files/ok-sealed.txt");
  const Path path = folder() / "key";
  const auto opens = [&](std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;  // WriteNewFile would wait for the disk each time
    return OpenKeyFile(path, PassphraseOf(fixture)).has_value();
  };
  ASSERT_TRUE(WriteNewFile(path, fixture.text, 0600));
  ASSERT_TRUE(opens(fixture.text));
  for (size_t i = 0; i < fixture.text.size(); ++i) {
    EXPECT_FALSE(opens(fixture.text.substr(0, i))) << "cut at " << i;
    std::string changed = fixture.text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(opens(changed)) << "changed at " << i;
  }
}

}  // namespace
}  // namespace isoveil
