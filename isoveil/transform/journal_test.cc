#include "isoveil/transform/journal.h"

#include <gtest/gtest.h>

#include <fstream>

#include "isoveil/base/temp_folder_for_test.h"

namespace isoveil {
namespace {

class JournalTest : public TempFolderTest {
 protected:
  const Path path_ = folder() / "journal";
  void Append(const std::string& text) { std::ofstream(path_, std::ios::app) << text; }
};

TEST_F(JournalTest, RemembersWhatIsDone) {
  {
    const auto journal = Journal::Open(path_, "plan");
    ASSERT_TRUE(journal);
    EXPECT_EQ(journal->n_done(), 0U);
    ASSERT_TRUE(journal->MarkDone(3));
    ASSERT_TRUE(journal->MarkDone(11));
  }
  const auto journal = Journal::Open(path_, "plan");
  ASSERT_TRUE(journal);
  EXPECT_TRUE(journal->IsDone(3));
  EXPECT_TRUE(journal->IsDone(11));
  EXPECT_FALSE(journal->IsDone(1));
}

TEST_F(JournalTest, ACutOffLineDoesNotCountAndDoesNotSpoilTheNext) {
  ASSERT_TRUE(Journal::Open(path_, "plan")->MarkDone(1));
  Append("done 2");
  ASSERT_TRUE(Journal::Open(path_, "plan")->MarkDone(5));
  const auto journal = Journal::Open(path_, "plan");
  EXPECT_FALSE(journal->IsDone(2));
  EXPECT_FALSE(journal->IsDone(25));
  EXPECT_TRUE(journal->IsDone(5));
}

TEST_F(JournalTest, NothingIsDoneAfterAReboot) {
  Append("isoveil-journal 1 plan another-boot\ndone 4\n");
  const auto journal = Journal::Open(path_, "plan");
  ASSERT_TRUE(journal);
  EXPECT_FALSE(journal->IsDone(4));
}

TEST_F(JournalTest, AnotherPlanIsRefused) {
  ASSERT_TRUE(Journal::Open(path_, "plan"));
  EXPECT_EQ(Journal::Open(path_, "other").error().code, ErrorCode::kMismatch);
}

}  // namespace
}  // namespace isoveil
