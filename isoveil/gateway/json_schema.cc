#include "isoveil/gateway/json_schema.h"

#include <re2/re2.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

namespace isoveil {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 1'000;  // of references and alternatives, each a few hundred bytes of stack
constexpr size_t kMaxPatterns = 250;
constexpr int64_t kPatternBytes = 512 << 10;  // of RE2's memory, each

// What the value of a keyword must be.
enum class Form {
  kSchema,
  kSchemas,
  kSchemaMap,
  kItems,
  kCount,
  kNumber,
  kBound,
  kPattern,
  kPatternMap,
  kNames,
  kNameLists,
  kDependencies,
  kType,
  kList,
  kFlag,
  kReference,
  kRefused
};

const std::map<std::string_view, Form>& Keywords() {
  static const std::map<std::string_view, Form> keywords = {{"$ref", Form::kReference},
                                                            {"type", Form::kType},
                                                            {"enum", Form::kList},
                                                            {"minimum", Form::kNumber},
                                                            {"maximum", Form::kNumber},
                                                            {"exclusiveMinimum", Form::kBound},
                                                            {"exclusiveMaximum", Form::kBound},
                                                            {"multipleOf", Form::kNumber},
                                                            {"minLength", Form::kCount},
                                                            {"maxLength", Form::kCount},
                                                            {"pattern", Form::kPattern},
                                                            {"minItems", Form::kCount},
                                                            {"maxItems", Form::kCount},
                                                            {"uniqueItems", Form::kFlag},
                                                            {"items", Form::kItems},
                                                            {"prefixItems", Form::kSchemas},
                                                            {"additionalItems", Form::kSchema},
                                                            {"contains", Form::kSchema},
                                                            {"minContains", Form::kCount},
                                                            {"maxContains", Form::kCount},
                                                            {"minProperties", Form::kCount},
                                                            {"maxProperties", Form::kCount},
                                                            {"required", Form::kNames},
                                                            {"properties", Form::kSchemaMap},
                                                            {"patternProperties", Form::kPatternMap},
                                                            {"additionalProperties", Form::kSchema},
                                                            {"propertyNames", Form::kSchema},
                                                            {"dependentRequired", Form::kNameLists},
                                                            {"dependentSchemas", Form::kSchemaMap},
                                                            {"dependencies", Form::kDependencies},
                                                            {"allOf", Form::kSchemas},
                                                            {"anyOf", Form::kSchemas},
                                                            {"oneOf", Form::kSchemas},
                                                            {"not", Form::kSchema},
                                                            {"if", Form::kSchema},
                                                            {"then", Form::kSchema},
                                                            {"else", Form::kSchema},
                                                            {"$defs", Form::kSchemaMap},
                                                            {"definitions", Form::kSchemaMap},
                                                            {"unevaluatedProperties", Form::kRefused},
                                                            {"unevaluatedItems", Form::kRefused},
                                                            {"$dynamicRef", Form::kRefused},
                                                            {"$recursiveRef", Form::kRefused}};
  return keywords;
}

// Keywords whose schema is for the same value: a way back through these alone would never end.
constexpr const char* kInPlaceLists[] = {"allOf", "anyOf", "oneOf"};
constexpr const char* kInPlace[] = {"not", "if", "then", "else"};

const std::set<std::string_view> kTypes = {"null", "boolean", "object", "array", "number", "integer", "string"};

// RE2 spells characters by number \x{41} where ECMA-262 has A.
std::string ForRe2(std::string_view pattern) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      out += pattern[i];
    } else if (pattern[i + 1] == 'u' && i + 5 < pattern.size()) {
      out += fmt::format("\\x{{{}}}", pattern.substr(i + 2, 4));
      i += 5;
    } else {
      out += pattern.substr(i++, 2);
    }
  }
  return out;
}

std::unique_ptr<RE2> Compile(std::string_view pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternBytes);
  auto compiled = std::make_unique<RE2>(ForRe2(pattern), options);
  return compiled->ok() ? std::move(compiled) : nullptr;
}

const RE2* FormatOf(std::string_view name) {
  constexpr std::string_view kDate = R"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))";
  constexpr std::string_view kTime =
      R"((?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d))";
  static const RE2 date(fmt::format("^{}$", kDate)), time(fmt::format("^{}$", kTime)),
      date_time(fmt::format("^{}[Tt]{}$", kDate, kTime));
  if (name == "date") return &date;
  if (name == "time") return &time;
  return name == "date-time" ? &date_time : nullptr;
}

bool IsCount(const json& value) {
  return value.is_number() && value.get<double>() >= 0 && std::floor(value.get<double>()) == value.get<double>();
}

bool IsNames(const json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const json& name) { return name.is_string(); });
}

// Bytes that are looked at in the time of a step.
constexpr size_t kBytesOfAStep = 256;

uint64_t StepsOfText(const std::string& text) { return text.size() / kBytesOfAStep; }

// What it takes to compare a value with another.
uint64_t StepsToCompare(const json& value) {
  if (const auto* text = value.get_ptr<const std::string*>()) return 1 + StepsOfText(*text);
  uint64_t steps = 1;
  if (const auto* object = value.get_ptr<const json::object_t*>()) {
    for (const auto& [name, inner] : *object) steps += StepsOfText(name) + StepsToCompare(inner);
  } else if (const auto* list = value.get_ptr<const json::array_t*>()) {
    for (const json& inner : *list) steps += StepsToCompare(inner);
  }
  return steps;
}

size_t CodePoints(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

struct JsonSchema::Compiled {
  json root;
  std::unordered_map<std::string, std::unique_ptr<RE2>> patterns;
  std::unordered_map<const json*, const json*> targets;  // of schemas with a $ref
};

namespace {

using Patterns = std::unordered_map<std::string, std::unique_ptr<RE2>>;
using Targets = std::unordered_map<const json*, const json*>;

// A part of a schema in errors; names may be as long as a request.
std::string Within(const std::string& place, std::string_view name) {
  constexpr size_t kMost = 40;
  return place + "." + std::string(name.substr(0, kMost));
}

// Looks at every schema within a schema: forms, patterns, references.
class Reader {
 public:
  Reader(const json& root, Patterns& patterns, Targets& targets)
      : root_(root), patterns_(patterns), targets_(targets) {}

  Status ReadAll(const std::string& place) {
    ISOVEIL_RETURN_IF_ERROR(Read(root_, place));
    // What is referred to may stand where no keyword leads.
    for (size_t i = 0; i < referred_.size(); ++i) {
      const auto [target, reference] = referred_[i];
      ISOVEIL_RETURN_IF_ERROR(Read(*target, Within(place, *reference)));
    }
    for (const json* schema : schemas_) {
      if (Loops(*schema)) return Expected(place, "references that do not lead back to themselves");
    }
    return Ok();
  }

 private:
  Status Read(const json& schema, const std::string& place) {
    if (schema.is_boolean()) return Ok();
    if (!schema.is_object()) return Expected(place, "a schema: an object, true or false");
    if (!schemas_.insert(&schema).second) return Ok();
    for (const auto& [name, value] : schema.items()) {
      const auto keyword = Keywords().find(name);
      if (keyword != Keywords().end()) {
        ISOVEIL_RETURN_IF_ERROR(ReadValue(keyword->second, schema, value, Within(place, name)));
      }
    }
    return Ok();
  }

  static Status Expected(const std::string& place, std::string_view what) {
    return Fail(ErrorCode::kInvalidArgument, place, fmt::format("expected {}", what));
  }

  Status ReadList(const json& list, const std::string& place) {
    if (!list.is_array() || list.empty()) return Expected(place, "a list of schemas");
    for (size_t i = 0; i < list.size(); ++i) ISOVEIL_RETURN_IF_ERROR(Read(list[i], fmt::format("{}[{}]", place, i)));
    return Ok();
  }

  Status ReadMap(const json& map, const std::string& place) {
    if (!map.is_object()) return Expected(place, "an object of schemas");
    for (const auto& [name, schema] : map.items()) ISOVEIL_RETURN_IF_ERROR(Read(schema, Within(place, name)));
    return Ok();
  }

  Status ReadPattern(const std::string& pattern, const std::string& place) {
    if (patterns_.contains(pattern)) return Ok();
    if (patterns_.size() >= kMaxPatterns) return Expected(place, fmt::format("at most {} patterns", kMaxPatterns));
    auto compiled = Compile(pattern);
    if (!compiled) {
      return Fail(ErrorCode::kUnsupported, place, "this regular expression cannot be checked in linear time",
                  "RE2 reads it: no lookaround, no back references, at most 1000 repetitions");
    }
    patterns_[pattern] = std::move(compiled);
    return Ok();
  }

  Status ReadReference(const json& schema, const json& reference, const std::string& place) {
    const auto* text = reference.get_ptr<const std::string*>();
    if (!text || !text->starts_with("#")) return Expected(place, "references that begin with #");
    try {
      const json::json_pointer pointer(text->substr(1));
      if (!root_.contains(pointer)) return Expected(place, "a reference to a part of this schema");
      const json& target = root_.at(pointer);
      if (!target.is_object() && !target.is_boolean()) return Expected(place, "a reference to a schema");
      targets_[&schema] = &target;
      referred_.emplace_back(&target, text);
      return Ok();
    } catch (const json::exception&) {
      return Expected(place, "a JSON pointer");
    }
  }

  Status ReadType(const json& value, const std::string& place) {
    const json list = value.is_array() ? value : json::array({value});
    for (const json& name : list) {
      if (!name.is_string() || !kTypes.contains(name.get<std::string>())) return Expected(place, "the name of a type");
    }
    return Ok();
  }

  Status ReadValue(Form form, const json& schema, const json& value, const std::string& place) {
    switch (form) {
      case Form::kSchema: return Read(value, place);
      case Form::kSchemas: return ReadList(value, place);
      case Form::kSchemaMap: return ReadMap(value, place);
      case Form::kItems:
        return value.is_array() && !value.empty() ? ReadList(value, place)
               : value.is_array()                 ? Ok()
                                                  : Read(value, place);
      case Form::kCount: return IsCount(value) ? Ok() : Expected(place, "a whole number");
      case Form::kNumber: return value.is_number() ? Ok() : Expected(place, "a number");
      case Form::kBound: return value.is_number() || value.is_boolean() ? Ok() : Expected(place, "a number");
      case Form::kPattern:
        return value.is_string() ? ReadPattern(value.get<std::string>(), place) : Expected(place, "a string");
      case Form::kPatternMap:
        ISOVEIL_RETURN_IF_ERROR(ReadMap(value, place));
        for (const auto& [pattern, unused] : value.items()) ISOVEIL_RETURN_IF_ERROR(ReadPattern(pattern, place));
        return Ok();
      case Form::kNames: return IsNames(value) ? Ok() : Expected(place, "a list of names");
      case Form::kNameLists:
        if (!value.is_object() || !std::all_of(value.begin(), value.end(), IsNames))
          return Expected(place, "an object of lists of names");
        return Ok();
      case Form::kDependencies:
        if (!value.is_object()) return Expected(place, "an object");
        for (const auto& [name, needed] : value.items()) {
          if (!IsNames(needed)) ISOVEIL_RETURN_IF_ERROR(Read(needed, Within(place, name)));
        }
        return Ok();
      case Form::kType: return ReadType(value, place);
      case Form::kList: return value.is_array() ? Ok() : Expected(place, "a list");
      case Form::kFlag: return value.is_boolean() ? Ok() : Expected(place, "true or false");
      case Form::kReference: return ReadReference(schema, value, place);
      case Form::kRefused:
        return Fail(ErrorCode::kUnsupported, place, "this keyword is not checked here",
                    "say it with properties and items");
    }
    return Ok();
  }

  // A way that leads back to a schema before it asks for anything deeper in the value.
  bool Loops(const json& schema) {
    if (!schema.is_object() || done_.contains(&schema)) return false;
    // A chain this long is none that a person wrote.
    if (!open_.insert(&schema).second || open_.size() > kMaxDepth / 2) return true;
    const auto target = targets_.find(&schema);
    bool loops = target != targets_.end() && Loops(*target->second);
    for (const char* name : kInPlaceLists) {
      if (!schema.contains(name)) continue;
      for (const json& inner : schema[name]) loops = loops || Loops(inner);
    }
    for (const char* name : kInPlace) loops = loops || (schema.contains(name) && Loops(schema[name]));
    open_.erase(&schema);
    done_.insert(&schema);
    return loops;
  }

  const json& root_;
  Patterns& patterns_;
  Targets& targets_;
  std::set<const json*> schemas_;
  std::vector<std::pair<const json*, const std::string*>> referred_;  // with what refers to them
  std::set<const json*> open_, done_;
};

// One value against one schema.
class Checker {
 public:
  Checker(const Patterns& patterns, const Targets& targets, JsonSchema::Steps& steps)
      : patterns_(patterns), targets_(targets), steps_(steps) {}

  // True if the value follows the schema; false, too, when it takes too long.
  bool Follows(const json& schema, const json& value) {
    if (!steps_.Take(1)) return false;
    if (schema.is_boolean()) return schema.get<bool>();
    if (depth_ >= kMaxDepth) return too_deep_ = true, false;
    ++depth_;
    const bool follows = FollowsReference(schema, value) && HasType(schema, value) && IsListed(schema, value) &&
                         (!value.is_number() || FollowsNumber(schema, value)) &&
                         (!value.is_string() || FollowsString(schema, value.get_ref<const std::string&>())) &&
                         (!value.is_array() || FollowsArray(schema, value)) &&
                         (!value.is_object() || FollowsObject(schema, value)) && FollowsCombined(schema, value);
    --depth_;
    return follows;
  }

  bool too_long() const { return too_deep_ || !steps_.enough(); }

 private:
  static const json* Find(const json& schema, const char* name) {
    const auto it = schema.find(name);
    return it == schema.end() ? nullptr : &*it;
  }
  static bool HasSize(const json& schema, const char* least, const char* most, size_t n) {
    const json* low = Find(schema, least);
    const json* high = Find(schema, most);
    const auto size = static_cast<double>(n);
    return (!low || size >= low->get<double>()) && (!high || size <= high->get<double>());
  }
  // RE2 may look at every instruction of a pattern for every byte.
  bool Matches(const std::string& pattern, const std::string& text) {
    const RE2& compiled = *patterns_.at(pattern);
    const uint64_t steps = text.size() * static_cast<size_t>(compiled.ProgramSize()) / 4096;
    return steps_.Take(1 + steps + StepsOfText(pattern)) && RE2::PartialMatch(text, compiled);
  }

  bool FollowsReference(const json& schema, const json& value) {
    const auto target = targets_.find(&schema);
    return target == targets_.end() || Follows(*target->second, value);
  }

  static bool IsOfType(const json& value, std::string_view name) {
    if (name == "integer") {
      return value.is_number_integer() || (value.is_number() && std::floor(value.get<double>()) == value.get<double>());
    }
    return name == value.type_name();
  }

  bool HasType(const json& schema, const json& value) {
    const json* type = Find(schema, "type");
    if (!type) return true;
    if (type->is_string()) return IsOfType(value, type->get_ref<const std::string&>());
    return steps_.Take(type->size() / 4) && std::any_of(type->begin(), type->end(), [&](const json& name) {
             return IsOfType(value, name.get_ref<const std::string&>());
           });
  }

  bool IsListed(const json& schema, const json& value) {
    const json* only = Find(schema, "const");
    const json* list = Find(schema, "enum");
    if (!only && !list) return true;
    const uint64_t n = (only ? 1 : 0) + (list ? list->size() : 0);
    return steps_.Take(n * StepsToCompare(value) / 4) && (!only || *only == value) &&
           (!list || std::find(list->begin(), list->end(), value) != list->end());
  }

  static bool IsMultiple(double value, double of) {
    if (of == 0) return false;
    const double quotient = value / of;
    return std::isfinite(quotient) &&
           std::abs(quotient - std::round(quotient)) <= 1e-9 * std::max(1.0, std::abs(quotient));
  }

  static bool FollowsNumber(const json& schema, const json& value) {
    const auto strict = [&](const json* bound) { return bound && bound->is_boolean() && bound->get<bool>(); };
    const json* above = Find(schema, "exclusiveMinimum");
    const json* below = Find(schema, "exclusiveMaximum");
    const json* min = Find(schema, "minimum");
    const json* max = Find(schema, "maximum");
    const json* of = Find(schema, "multipleOf");
    if (min && (strict(above) ? value <= *min : value < *min)) return false;
    if (max && (strict(below) ? value >= *max : value > *max)) return false;
    if (above && above->is_number() && value <= *above) return false;
    if (below && below->is_number() && value >= *below) return false;
    return !of || IsMultiple(value.get<double>(), of->get<double>());
  }

  bool FollowsString(const json& schema, const std::string& text) {
    if (!steps_.Take(StepsOfText(text))) return false;
    if (!HasSize(schema, "minLength", "maxLength", CodePoints(text))) return false;
    const json* pattern = Find(schema, "pattern");
    if (pattern && !Matches(pattern->get_ref<const std::string&>(), text)) return false;
    const json* format = Find(schema, "format");
    const RE2* form = format && format->is_string() ? FormatOf(format->get_ref<const std::string&>()) : nullptr;
    return !form || (steps_.Take(4 * StepsOfText(text)) && RE2::FullMatch(text, *form));
  }

  bool AreUnique(const json& list) {
    const auto rounds = static_cast<uint64_t>(std::bit_width(list.size()));
    if (!steps_.Take(StepsToCompare(list) * rounds / 8)) return false;
    std::vector<const json*> order;
    for (const json& item : list) order.push_back(&item);
    const auto less = [](const json* a, const json* b) { return *a < *b; };
    std::sort(order.begin(), order.end(), less);
    return std::adjacent_find(order.begin(), order.end(), [](const json* a, const json* b) { return *a == *b; }) ==
           order.end();
  }

  bool FollowsArray(const json& schema, const json& list) {
    if (!steps_.Take(list.size() / 16)) return false;
    if (!HasSize(schema, "minItems", "maxItems", list.size())) return false;
    const json* unique = Find(schema, "uniqueItems");
    if (unique && unique->get<bool>() && !AreUnique(list)) return false;
    // Draft 7 spells prefixItems as a list of items, and the rest as additionalItems.
    const json* items = Find(schema, "items");
    const bool old = items && items->is_array();
    const json* first = old ? items : Find(schema, "prefixItems");
    const json* rest = old ? Find(schema, "additionalItems") : items;
    const size_t n_first = first ? first->size() : 0;
    for (size_t i = 0; i < list.size(); ++i) {
      const json* of_item = i < n_first ? &(*first)[i] : rest;
      if (of_item && !Follows(*of_item, list[i])) return false;
    }
    return Contains(schema, list);
  }

  bool Contains(const json& schema, const json& list) {
    const json* wanted = Find(schema, "contains");
    if (!wanted) return true;
    const json* least = Find(schema, "minContains");
    const json* most = Find(schema, "maxContains");
    const auto n = static_cast<double>(
        std::count_if(list.begin(), list.end(), [&](const json& item) { return Follows(*wanted, item); }));
    return n >= (least ? least->get<double>() : 1) && (!most || n <= most->get<double>());
  }

  bool FollowsObject(const json& schema, const json& object) {
    if (!HasSize(schema, "minProperties", "maxProperties", object.size())) return false;
    if (const json* required = Find(schema, "required"); required && !HasAll(object, *required)) return false;
    const json* names = Find(schema, "propertyNames");
    for (const auto& [name, value] : object.items()) {
      if (!steps_.Take(1 + StepsOfText(name))) return false;
      if (names && !Follows(*names, json(name))) return false;
      if (!FollowsProperty(schema, name, value)) return false;
    }
    return FollowsDependencies(schema, object);
  }

  bool HasAll(const json& object, const json& names) {
    return steps_.Take(names.size() / 4) && std::all_of(names.begin(), names.end(), [&](const json& name) {
             const std::string& text = name.get_ref<const std::string&>();
             return steps_.Take(StepsOfText(text)) && object.contains(text);
           });
  }

  bool FollowsProperty(const json& schema, const std::string& name, const json& value) {
    bool known = false;
    if (const json* properties = Find(schema, "properties")) {
      const auto own = properties->find(name);
      known = own != properties->end();
      if (known && !Follows(*own, value)) return false;
    }
    if (const json* by_pattern = Find(schema, "patternProperties")) {
      for (const auto& [pattern, inner] : by_pattern->items()) {
        if (!Matches(pattern, name)) continue;
        known = true;
        if (!Follows(inner, value)) return false;
      }
    }
    const json* others = Find(schema, "additionalProperties");
    return known || !others || Follows(*others, value);
  }

  bool FollowsDependencies(const json& schema, const json& object) {
    for (const char* keyword : {"dependentRequired", "dependentSchemas", "dependencies"}) {
      const json* dependencies = Find(schema, keyword);
      if (!dependencies) continue;
      for (const auto& [name, needed] : dependencies->items()) {
        if (!steps_.Take(1 + StepsOfText(name))) return false;
        if (!object.contains(name)) continue;
        if (needed.is_array() ? !HasAll(object, needed) : !Follows(needed, object)) return false;
      }
    }
    return true;
  }

  bool FollowsCombined(const json& schema, const json& value) {
    const auto follows = [&](const json& inner) { return Follows(inner, value); };
    if (const json* all = Find(schema, "allOf"); all && !std::all_of(all->begin(), all->end(), follows)) return false;
    if (const json* any = Find(schema, "anyOf"); any && !std::any_of(any->begin(), any->end(), follows)) return false;
    if (const json* one = Find(schema, "oneOf"); one && std::count_if(one->begin(), one->end(), follows) != 1)
      return false;
    if (const json* none = Find(schema, "not"); none && follows(*none)) return false;
    const json* condition = Find(schema, "if");
    if (!condition) return true;
    const json* then = Find(schema, follows(*condition) ? "then" : "else");
    return !then || follows(*then);
  }

  const Patterns& patterns_;
  const Targets& targets_;
  JsonSchema::Steps& steps_;
  int depth_ = 0;
  bool too_deep_ = false;
};

}  // namespace

Result<JsonSchema> JsonSchema::Parse(json schema, const std::string& place) {
  auto compiled = std::make_shared<Compiled>();
  compiled->root = std::move(schema);
  Reader reader(compiled->root, compiled->patterns, compiled->targets);
  ISOVEIL_RETURN_IF_ERROR(reader.ReadAll(place));
  return JsonSchema(std::move(compiled));
}

JsonSchema::Verdict JsonSchema::Check(const json& value, Steps& steps) const {
  Checker checker(compiled_->patterns, compiled_->targets, steps);
  const bool follows = checker.Follows(compiled_->root, value);
  if (checker.too_long()) return Verdict::kTooLong;
  return follows ? Verdict::kFollows : Verdict::kBreaks;
}

}  // namespace isoveil
