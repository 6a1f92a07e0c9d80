// Without it valijson prints what it dislikes about a schema, and ends the process.
#define VALIJSON_USE_EXCEPTIONS 1

#include "isoveil/gateway/answer_check.h"

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <algorithm>
#include <set>

#include "isoveil/format/strict_json.h"

namespace isoveil {

struct AnswerCheck::Schema {
  valijson::Schema schema;
};

namespace {

// valijson reads nlohmann's sorted JSON; order has no meaning in a schema.
nlohmann::json Sorted(const Json& json) { return nlohmann::json::parse(json.dump()); }

// A reference to elsewhere would be fetched, or silently accept everything.
bool HasForeignReference(const Json& schema) {
  if (schema.is_array()) return std::any_of(schema.begin(), schema.end(), HasForeignReference);
  if (!schema.is_object()) return false;
  for (const auto& [name, value] : schema.items()) {
    if (name == "$ref" && (!value.is_string() || !value.get<std::string>().starts_with("#"))) return true;
    if (HasForeignReference(value)) return true;
  }
  return false;
}

constexpr size_t kMaxReferences = 1000;

size_t CountReferences(const Json& schema) {
  if (!schema.is_structured()) return 0;
  size_t n = schema.is_object() && schema.contains("$ref") ? 1 : 0;
  for (const Json& value : schema) n += CountReferences(value);
  return n;
}

// Finds schemas that refer back to themselves before they ask for anything deeper in the answer: checking by one of
// those never ends.
class LoopFinder {
 public:
  explicit LoopFinder(const Json& root) : root_(root) {}

  bool Loops(const Json& schema) {
    if (!schema.is_structured()) return false;
    if (schema.is_object() && Follow(schema)) return true;
    return std::any_of(schema.begin(), schema.end(), [&](const Json& value) { return Loops(value); });
  }

 private:
  bool Follow(const Json& schema) {
    if (!schema.is_object() || done_.contains(&schema)) return false;
    if (!open_.insert(&schema).second) return true;
    bool loops = FollowReference(schema);
    for (const char* name : {"allOf", "anyOf", "oneOf"}) {
      const Json& list = Member(schema, name);
      loops = loops || (list.is_array() && std::any_of(list.begin(), list.end(), [&](const Json& s) { return Follow(s); }));
    }
    for (const char* name : {"not", "if", "then", "else"}) loops = loops || Follow(Member(schema, name));
    open_.erase(&schema);
    done_.insert(&schema);
    return loops;
  }

  bool FollowReference(const Json& schema) {
    const Json& reference = Member(schema, "$ref");
    if (!reference.is_string()) return false;
    try {
      const Json::json_pointer target(reference.get_ref<const std::string&>().substr(1));
      return root_.contains(target) && Follow(root_.at(target));
    } catch (const Json::exception&) {
      return false;  // the parser says what is wrong
    }
  }

  const Json& root_;
  std::set<const Json*> open_;
  std::set<const Json*> done_;
};

}  // namespace

std::string_view WithoutFence(std::string_view text) {
  const auto trim = [](std::string_view s) {
    const size_t begin = s.find_first_not_of(" \t\r\n");
    return begin == std::string_view::npos ? std::string_view{}
                                           : s.substr(begin, s.find_last_not_of(" \t\r\n") - begin + 1);
  };
  text = trim(text);
  if (!text.starts_with("```") || !text.ends_with("```") || text.size() < 6) return text;
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return text;
  return trim(text.substr(line, text.size() - 3 - line));
}

Result<AnswerCheck> AnswerCheck::FromFormat(const Json& format, const std::string& name) {
  AnswerCheck check;
  if (format.is_null()) return check;
  ISOVEIL_ASSIGN_OR_RETURN(const auto type, format.is_object() ? ReadText(format, "type") : std::optional<std::string>());
  if (type == "text") return check;
  if (type != "json_object" && type != "json_schema") {
    return BadMember(name + ".type", "text, json_object or json_schema");
  }
  check.is_json_ = true;
  check.instruction_ = "Answer with a single JSON object and nothing else.";
  if (type == "json_object") return check;
  // Chat nests the schema once more than responses.
  const Json& holder = format.contains("json_schema") ? format["json_schema"] : format;
  const Json& schema = holder.is_object() ? Member(holder, "schema") : Member(format, "schema");
  if (!schema.is_object()) return BadMember(name + ".json_schema.schema", "an object");
  if (HasForeignReference(schema)) return BadMember(name + ".json_schema.schema", "references that begin with #");
  if (CountReferences(schema) > kMaxReferences || LoopFinder(schema).Loops(schema)) {
    return BadMember(name + ".json_schema.schema", "references that end, and fewer of them");
  }
  check.instruction_ = "Answer with JSON that follows this JSON Schema, and nothing else:\n" + schema.dump();
  try {
    auto parsed = std::make_shared<Schema>();
    const nlohmann::json sorted = Sorted(schema);
    const valijson::adapters::NlohmannJsonAdapter adapter(sorted);
    valijson::SchemaParser().populateSchema(adapter, parsed->schema);
    check.schema_ = std::move(parsed);
  } catch (const std::exception&) {
    return BadMember(name + ".json_schema.schema", "a JSON Schema");
  }
  return check;
}

std::string AnswerCheck::Problem(const std::string& content, bool has_calls) const {
  if (needs_call_ && !has_calls) return "no tool was called";
  if (!is_json_ || has_calls) return "";
  const auto json = ParseStrictJson(WithoutFence(content), "answer");
  if (!json) return "the answer is not JSON";
  if (!schema_) return json->is_object() ? "" : "the answer is not a JSON object";
  try {
    const nlohmann::json sorted = Sorted(*json);
    const valijson::adapters::NlohmannJsonAdapter adapter(sorted);
    valijson::Validator validator;
    return validator.validate(schema_->schema, adapter, nullptr) ? "" : "the answer does not follow the schema";
  } catch (const std::exception&) {
    return "the answer cannot be checked against the schema";
  }
}

}  // namespace isoveil
