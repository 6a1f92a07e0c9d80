#include "isoveil/gateway/json_schema.h"

#include <gtest/gtest.h>

#include <fstream>

namespace isoveil {
namespace {

using nlohmann::json;
using Verdict = JsonSchema::Verdict;

Verdict Check(const json& schema, const json& value) {
  const auto parsed = JsonSchema::Parse(schema, "schema");
  EXPECT_TRUE(parsed.has_value()) << parsed.error().Message();
  JsonSchema::Steps steps;
  return parsed ? parsed->Check(value, steps) : Verdict::kTooLong;
}

// Made by another implementation: tests/vectors/gateway/schemas/make_vectors.py.
TEST(JsonSchemaTest, AgreesWithAnotherImplementation) {
  std::ifstream file(ISOVEIL_SOURCE_DIR "/tests/vectors/gateway/schemas/cases.json");
  const json cases = json::parse(file);
  ASSERT_EQ(cases.size(), 600U);
  for (const json& one : cases) {
    const Verdict expected = one["follows"].get<bool>() ? Verdict::kFollows : Verdict::kBreaks;
    EXPECT_EQ(Check(one["schema"], one["value"]), expected) << one.dump();
  }
}

TEST(JsonSchemaTest, Draft7SpellsSomeThingsOtherwise) {
  const json list = json::parse(R"({"items": [{"type": "string"}], "additionalItems": false})");
  EXPECT_EQ(Check(list, {"a"}), Verdict::kFollows);
  EXPECT_EQ(Check(list, {"a", "b"}), Verdict::kBreaks);
  const json above = json::parse(R"({"minimum": 1, "exclusiveMinimum": true})");
  EXPECT_EQ(Check(above, 1), Verdict::kBreaks);
  EXPECT_EQ(Check(above, 2), Verdict::kFollows);
  const json needs = json::parse(R"({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}})");
  EXPECT_EQ(Check(needs, {{"a", 1}}), Verdict::kBreaks);
  EXPECT_EQ(Check(needs, {{"a", 1}, {"b", 1}}), Verdict::kFollows);
  EXPECT_EQ(Check(needs, {{"c", 1}}), Verdict::kBreaks);
}

TEST(JsonSchemaTest, DatesAndTimesHaveTheirForm) {
  EXPECT_EQ(Check({{"format", "date"}}, "2024-02-29"), Verdict::kFollows);
  EXPECT_EQ(Check({{"format", "date"}}, "2024-13-01"), Verdict::kBreaks);
  EXPECT_EQ(Check({{"format", "date"}}, std::string(1 << 20, '1')), Verdict::kBreaks);
  EXPECT_EQ(Check({{"format", "date-time"}}, "2024-02-29T23:59:60Z"), Verdict::kFollows);
  EXPECT_EQ(Check({{"format", "unknown"}}, "x"), Verdict::kFollows);
}

// Patterns on which engines that go back and forth take the stack or for ever.
TEST(JsonSchemaTest, PatternsTakeLinearTime) {
  EXPECT_EQ(Check({{"pattern", "^[a-z ]*$"}}, std::string(4 << 20, 'a')), Verdict::kFollows);
  EXPECT_EQ(Check({{"pattern", "^( ?[a-z]+)*$"}}, std::string(4096, 'a') + "!"), Verdict::kBreaks);
  EXPECT_EQ(Check({{"patternProperties", {{"^(a|aa)+$", false}}}}, {{std::string(4096, 'a') + "!", 1}}),
            Verdict::kFollows);
}

TEST(JsonSchemaTest, WhatCannotBeCheckedIsRefusedByName) {
  std::string chain = R"({"$ref": "#/$defs/a0", "$defs": {)";
  for (int i = 0; i < 20'000; ++i) chain += fmt::format(R"("a{}": {{"$ref": "#/$defs/a{}"}},)", i, i + 1);
  chain += R"("a20000": {}}})";
  json many = json::object();
  for (int i = 0; i < 300; ++i) many[std::to_string(i)] = {{"pattern", fmt::format("a{{{}}}", i)}};
  for (const auto& [schema, place] : std::vector<std::pair<json, std::string>>{
           {json::parse(R"j({"properties": {"a": {"pattern": "(?=x)"}}})j"), "schema.properties.a.pattern"},
           {json::parse(R"j({"pattern": "(a)\\1"})j"), "schema.pattern"},
           {json::parse(R"({"patternProperties": {"(": {}}})"), "schema.patternProperties"},
           {json::parse(R"({"unevaluatedProperties": false})"), "schema.unevaluatedProperties"},
           {json::parse(R"({"$dynamicRef": "#a"})"), "schema.$dynamicRef"},
           {json::parse(R"({"type": "text"})"), "schema.type"},
           {json::parse(R"({"minLength": -1})"), "schema.minLength"},
           {json::parse(R"({"required": "a"})"), "schema.required"},
           {json::parse(R"({"anyOf": []})"), "schema.anyOf"},
           {json::parse(R"({"$ref": "http://example.com/a.json"})"), "schema.$ref"},
           {json::parse(R"({"$ref": "#/nowhere"})"), "schema.$ref"},
           {json::parse(R"({"$ref": "#"})"), "schema"},
           {json::parse(R"({"anyOf": [{"$ref": "#/x"}], "x": {"not": {"$ref": "#/x"}}})"), "schema"},
           {json::parse(R"({"$ref": "#/x", "x": {"pattern": "("}})"), "schema.#/x.pattern"},
           {json::parse(chain), "schema"},
           {json{{"properties", many}}, "schema.properties"}}) {
    const auto parsed = JsonSchema::Parse(schema, "schema");
    ASSERT_FALSE(parsed.has_value()) << schema.dump().substr(0, 200);
    EXPECT_TRUE(parsed.error().where.starts_with(place)) << parsed.error().Message();
  }
}

// Two ways at every level of the value: 2^40 of them.
TEST(JsonSchemaTest, AlternativesWithinAlternativesEnd) {
  const json schema = json::parse(R"({"$ref": "#/$defs/node", "$defs": {"node": {"anyOf": [
      {"properties": {"a": {"$ref": "#/$defs/node"}}, "required": ["b"]},
      {"properties": {"a": {"$ref": "#/$defs/node"}}, "required": ["c"]}]}}})");
  json value = 1;
  for (int i = 0; i < 40; ++i) value = {{"a", value}};
  EXPECT_NE(Check(schema, value), Verdict::kFollows);
  json twice = json::parse(R"({"$defs": {"a50": {}}})");
  for (int i = 0; i < 50; ++i) {
    const json next = {{"$ref", fmt::format("#/$defs/a{}", i + 1)}};
    twice["$defs"][fmt::format("a{}", i)] = {{"allOf", {next, next}}};
  }
  twice["$ref"] = "#/$defs/a0";
  EXPECT_EQ(Check(twice, 1), Verdict::kTooLong);
}

// Whatever is long in a schema or a value, and could be met again and again, takes steps.
TEST(JsonSchemaTest, WhatIsLongTakesSteps) {
  const std::string text(1 << 16, 'a');
  const json list(1000, json(1));
  json names, object, needs;
  for (int i = 0; i < 1000; ++i) {
    names.push_back(fmt::format("a{}", i));
    object[names.back()] = 1;
    needs[names.back()] = json::array();
  }
  for (const auto& [schema, value] :
       std::vector<std::pair<json, json>>{{{{"minLength", 1}}, text},
                                          {{{"format", "date"}}, text},
                                          {{{"pattern", "a"}}, text},
                                          {{{"pattern", "[" + text + "]"}}, "a"},
                                          {{{"type", json(1000, json("null"))}}, 1},
                                          {{{"const", list}}, list},
                                          {{{"const", object}}, object},
                                          {{{"const", text}}, text},
                                          {{{"enum", list}}, 2},
                                          {{{"uniqueItems", true}}, list},
                                          {{{"minItems", 1}}, list},
                                          {{{"minProperties", 1}}, object},
                                          {{{"required", names}}, {{"a0", 1}}},
                                          {{{"required", {text}}}, {{"a0", 1}}},
                                          {{{"properties", {{"a", true}}}}, {{text, 1}}},
                                          {{{"dependentRequired", needs}}, {{"a0", 1}}},
                                          {{{"dependentRequired", {{text, {"a"}}}}}, {{"a0", 1}}},
                                          {{{"allOf", json(1000, json(true))}}, 1}}) {
    const auto parsed = JsonSchema::Parse(schema, "schema");
    ASSERT_TRUE(parsed) << parsed.error().Message();
    JsonSchema::Steps steps(50);
    EXPECT_EQ(parsed->Check(value, steps), Verdict::kTooLong) << schema.dump().substr(0, 100);
    JsonSchema::Steps enough;
    EXPECT_NE(parsed->Check(value, enough), Verdict::kTooLong) << schema.dump().substr(0, 100);
  }
}

}  // namespace
}  // namespace isoveil
