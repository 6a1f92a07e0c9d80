// JSON Schema, for schemas and values that come from strangers: linear-time patterns, bounded steps and depth.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const JsonSchema schema, JsonSchema::Parse(json, "response_format.json_schema.schema"));
//   JsonSchema::Steps steps;
//   if (schema.Check(value, steps) != JsonSchema::Verdict::kFollows) ...
//
// The keywords of draft 7 and of 2020-12 that say what a value may be; annotations are ignored, as are unknown
// keywords. References stay within the schema. What would be silently accepted otherwise is refused by name:
// unevaluated*, dynamic references, patterns that RE2 cannot read. Immutable, safe to use from many threads.
//
// Source: json-schema.org, draft 2020-12 (core and validation) and draft 7; patterns are searched for as ECMA-262
// does, in UTF-8, by RE2, whose time is linear in the text.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "isoveil/base/result.h"

namespace isoveil {

class JsonSchema {
 public:
  enum class Verdict {
    kFollows,
    kBreaks,
    kTooLong,  // alternatives within alternatives: no steps are left
  };

  // What checks may take, together: a step for each schema that a value meets, and more for long texts and lists. A
  // million take about a tenth of a second.
  class Steps {
   public:
    explicit Steps(uint64_t n = 1'000'000) : left_(n) {}
    // False, from then on, if there are not as many.
    [[nodiscard]] bool Take(uint64_t n) {
      enough_ = enough_ && n <= left_;
      if (enough_) left_ -= n;
      return enough_;
    }
    bool enough() const { return enough_; }

   private:
    uint64_t left_;
    bool enough_ = true;
  };

  // kInvalidArgument or kUnsupported name the place in the schema, such as "schema.properties.a.pattern".
  static Result<JsonSchema> Parse(nlohmann::json schema, const std::string& place);

  Verdict Check(const nlohmann::json& value, Steps& steps) const;

 private:
  struct Compiled;
  explicit JsonSchema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace isoveil
