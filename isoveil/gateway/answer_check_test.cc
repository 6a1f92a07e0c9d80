#include "isoveil/gateway/answer_check.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

Result<AnswerCheck> Check(const char* format) {
  return AnswerCheck::FromFormat(Json::parse(format), "response_format");
}

TEST(AnswerCheckTest, NothingIsRequiredOfText) {
  for (const char* format : {"null", R"({"type": "text"})"}) {
    const auto check = Check(format);
    ASSERT_TRUE(check);
    EXPECT_FALSE(check->active());
    EXPECT_EQ(check->instruction(), "");
    EXPECT_EQ(check->Problem("anything {", false), "");
  }
}

TEST(AnswerCheckTest, AnObjectIsAnObject) {
  const auto check = Check(R"({"type": "json_object"})");
  ASSERT_TRUE(check && check->active());
  EXPECT_FALSE(check->instruction().empty());
  for (const char* good : {"{}", " {\"a\": [1, 2]}\n", "```json\n{\"a\": 1}\n```", "```\n{}\n```"}) {
    EXPECT_EQ(check->Problem(good, false), "") << good;
  }
  for (const char* bad :
       {"", "[]", "1", "{", "{} {}", "Sure: {}", "{'a': 1}", "```json\n{\n```", "```", "{\"a\": NaN}"}) {
    EXPECT_NE(check->Problem(bad, false), "") << bad;
  }
}

constexpr char kPerson[] =
    R"({"type": "object", "required": ["name", "age"], "additionalProperties": false, "properties": {
  "name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}, "friend": {"$ref": "#"}}})";

TEST(AnswerCheckTest, ASchemaIsFollowed) {
  // Chat's form and that of responses.
  for (const std::string& format :
       {std::string(R"({"type": "json_schema", "json_schema": {"name": "p", "schema": )") + kPerson + "}}",
        std::string(R"({"type": "json_schema", "name": "p", "schema": )") + kPerson + "}"}) {
    const auto check = Check(format.c_str());
    ASSERT_TRUE(check) << check.error().Message();
    EXPECT_NE(check->instruction().find("minLength"), std::string::npos);
    for (const char* good :
         {R"({"name": "Zoë", "age": 3})", R"({"name": "a", "age": 1, "friend": {"name": "b", "age": 2}})"}) {
      EXPECT_EQ(check->Problem(good, false), "") << good;
    }
    for (const char* bad : {R"({"name": "Zoë"})", R"({"name": "", "age": 3})", R"({"name": "a", "age": -1})",
                            R"({"name": "a", "age": 1.5})", R"({"name": "a", "age": 1, "more": 1})",
                            R"({"name": "a", "age": 1, "friend": {}})", "[]", "null"}) {
      EXPECT_NE(check->Problem(bad, false), "") << bad;
    }
  }
}

TEST(AnswerCheckTest, ProblemsQuoteNoAnswer) {
  const auto check = Check((std::string(R"({"type": "json_schema", "name": "p", "schema": )") + kPerson + "}").c_str());
  for (const char* secret : {"canary-7919", R"({"canary-7919": 1})", R"({"name": "canary-7919"})"}) {
    const std::string problem = check->Problem(secret, false);
    EXPECT_FALSE(problem.empty());
    EXPECT_EQ(problem.find("canary"), std::string::npos) << problem;
  }
}

TEST(AnswerCheckTest, HostileSchemasAreRefusedByName) {
  for (
      const std::string& format :
      {std::string(R"("json")"), std::string(R"({"type": "grammar"})"), std::string(R"({})"),
       std::string(R"({"type": "json_schema"})"),
       std::string(R"({"type": "json_schema", "json_schema": {"schema": []}})"),
       std::string(R"({"type": "json_schema", "name": "p", "schema": {"$ref": "http://example.com/a.json"}})"),
       std::string(
           R"({"type": "json_schema", "name": "p", "schema": {"properties": {"a": {"$ref": "file:///etc/passwd"}}}})"),
       std::string(R"({"type": "json_schema", "name": "p", "schema": {"$ref": "#"}})"),
       std::string(
           R"({"type": "json_schema", "name": "p", "schema": {"anyOf": [{"$ref": "#/definitions/a"}], "definitions": {"a": {"not": {"$ref": "#/definitions/a"}}}}})"),
       std::string(R"({"type": "json_schema", "name": "p", "schema": {"type": 7}})")}) {
    const auto check = Check(format.c_str());
    ASSERT_FALSE(check) << format.substr(0, 120);
    EXPECT_EQ(check.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(check.error().where.starts_with("response_format")) << check.error().where;
    const bool foreign = format.find("://") != std::string::npos;
    EXPECT_EQ(check.error().Message().find("begin with #") != std::string::npos, foreign) << check.error().Message();
  }
}

TEST(AnswerCheckTest, APatternThatCannotBeCheckedIsRefusedBeforeAnAnswerIsMade) {
  const auto check = Check(R"({"type": "json_schema", "name": "p", "schema": {"pattern": "("}})");
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error().where, "response_format.schema.pattern");
}

// Every bracket could be the beginning of the JSON: they share what a check may take.
TEST(AnswerCheckTest, NothingIsLookedForOnceACheckTookTooLong) {
  const auto check = Check(
      R"({"type": "json_schema", "name": "p", "schema": {"type": "array", "items": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}})");
  ASSERT_TRUE(check);
  EXPECT_EQ(check->Extract("so: [[1]] []"), "[]");
  const std::string nested = std::string(50, '[') + "1" + std::string(50, ']');
  EXPECT_EQ(check->Extract(nested + " []"), nested + " []");
}

TEST(AnswerCheckTest, ARequiredCallIsMissed) {
  AnswerCheck check;
  check.RequireCall();
  EXPECT_TRUE(check.active());
  EXPECT_NE(check.Problem("text", false), "");
  EXPECT_EQ(check.Problem("", true), "");
}

TEST(WithoutFenceTest, TakesAwayOnlyAFence) {
  EXPECT_EQ(WithoutFence("  {}\n"), "{}");
  EXPECT_EQ(WithoutFence("```json\n{}\n```"), "{}");
  EXPECT_EQ(WithoutFence("```{}```"), "```{}```");
  EXPECT_EQ(WithoutFence("a ```\n{}\n```"), "a ```\n{}\n```");
  EXPECT_EQ(WithoutFence(""), "");
}

}  // namespace
}  // namespace isoveil
