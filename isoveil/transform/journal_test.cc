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

const JobHashes kHashes = {"aa", "bb"};

TEST_F(JournalTest, RemembersWhatIsDone) {
  {
    const auto journal = Journal::Open(path_, "plan");
    ASSERT_TRUE(journal);
    EXPECT_FALSE(journal->Done(3));
    ASSERT_TRUE(journal->MarkDone(3, kHashes));
    ASSERT_TRUE(journal->MarkDone(11, {"cc", "dd"}));
  }
  const auto journal = Journal::Open(path_, "plan");
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->Done(3), kHashes);
  EXPECT_EQ(journal->Done(11), (JobHashes{"cc", "dd"}));
  EXPECT_FALSE(journal->Done(1));
}

TEST_F(JournalTest, ACutOffLineDoesNotCountAndDoesNotSpoilTheNext) {
  ASSERT_TRUE(Journal::Open(path_, "plan")->MarkDone(1, kHashes));
  Append("done 2 aa b");
  ASSERT_TRUE(Journal::Open(path_, "plan")->MarkDone(5, kHashes));
  const auto journal = Journal::Open(path_, "plan");
  EXPECT_FALSE(journal->Done(2));
  EXPECT_EQ(journal->Done(5), kHashes);
}

TEST_F(JournalTest, ALineWithoutItsHashesClaimsNothing) {
  Append("isoveil-journal 2 plan\ndone 4\ndone 5 aa\ndone 6 aa bb cc\ndone x aa bb\n");
  const auto journal = Journal::Open(path_, "plan");
  ASSERT_TRUE(journal);
  for (const size_t job : {4, 5, 6}) EXPECT_FALSE(journal->Done(job)) << job;
}

TEST_F(JournalTest, TheJournalOfAnotherVersionIsRefused) {
  Append("isoveil-journal 1 plan boot\ndone 4\n");
  EXPECT_EQ(Journal::Open(path_, "plan").error().code, ErrorCode::kMismatch);
}

TEST_F(JournalTest, AnotherPlanIsRefused) {
  ASSERT_TRUE(Journal::Open(path_, "plan"));
  EXPECT_EQ(Journal::Open(path_, "other").error().code, ErrorCode::kMismatch);
}

}  // namespace
}  // namespace isoveil
