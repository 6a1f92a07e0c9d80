#include "isoveil/base/mapping_guard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "isoveil/base/file.h"
#include "isoveil/base/temp_folder_for_test.h"

namespace isoveil {
namespace {

using MappingGuardTest = TempFolderTest;

// Reads a file of which all but the first page is cut off, and prints what the guard says.
[[noreturn]] void ReadTruncated(const Path& path) {
  GuardMappings();
  constexpr off_t kPage = 4096;
  Result<MappedFile> opened = MappedFile::Open(path);
  const MappedFile file = *std::move(opened);
  (void)!::truncate(path.c_str(), kPage);
  unsigned sum = 0;
  for (const std::byte b : file.bytes()) sum += static_cast<unsigned>(b);
  const Status status = CheckMappings();
  std::cerr << sum << " " << (status ? "nothing" : status.error().Message());
  std::_Exit(0);
}

TEST_F(MappingGuardTest, ATruncatedFileReadsAsZerosAndIsNamed) {
  const Path path = folder() / "weights";
  ASSERT_TRUE(WriteNewFile(path, std::string(size_t{10} * 4096, '\1')));
  EXPECT_EXIT(ReadTruncated(path), testing::ExitedWithCode(0), "4096 .*weights: offset 4096: cannot be read any more");
}

TEST_F(MappingGuardTest, OtherBusErrorsStillEndTheProcess) {
  EXPECT_EXIT(
      {
        GuardMappings();
        ::raise(SIGBUS);
        ::raise(SIGBUS);
      },
      testing::KilledBySignal(SIGBUS), "");
}

TEST_F(MappingGuardTest, NothingIsSaidOfFilesThatStay) { EXPECT_TRUE(CheckMappings()); }

}  // namespace
}  // namespace isoveil
