// A fixture with an empty folder of its own, removed afterwards.
//
//   using MyTest = TempFolderTest;
//   TEST_F(MyTest, Writes) { WriteNewFile(folder() / "a", "text"); }
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace isoveil {

class TempFolderTest : public testing::Test {
 protected:
  TempFolderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "isoveil-test.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~TempFolderTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace isoveil
