#include "isoveil/base/published_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "isoveil/base/temp_folder_for_test.h"

namespace isoveil {
namespace {

using PublishedFileTest = TempFolderTest;

TEST_F(PublishedFileTest, AppearsWhole) {
  const std::string text(32 << 20, 'x');
  std::jthread writes([&] { EXPECT_TRUE(PublishNewFile(folder() / "record", text, 0600)); });
  while (!FileExists(folder() / "record")) std::this_thread::yield();
  EXPECT_EQ(FileSize(folder() / "record").value(), text.size());
  writes.join();
  struct stat info = {};
  ASSERT_EQ(::stat((folder() / "record").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(PublishNewFile(folder() / "record", "another").error().code, ErrorCode::kExists);
  EXPECT_EQ(FileSize(folder() / "record").value(), text.size());
  EXPECT_EQ(PublishNewFile(folder() / "missing/record", "x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder()), {}), 1) << "nothing else is left";
}

}  // namespace
}  // namespace isoveil
