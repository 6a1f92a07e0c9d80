#include "isoveil/format/strict_json.h"

#include <set>
#include <vector>

namespace isoveil {

using nlohmann::ordered_json;

Result<ordered_json> ParseStrictJson(std::string_view text, const std::string& name, int max_depth) {
  std::vector<std::set<std::string>> keys;
  std::string problem;
  const auto watch = [&](int depth, ordered_json::parse_event_t event, ordered_json& parsed) {
    using Event = ordered_json::parse_event_t;
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end && !keys.empty()) keys.pop_back();
    if (event == Event::key && !keys.empty() && !keys.back().insert(parsed.get<std::string>()).second &&
        problem.empty()) {
      problem = fmt::format("key {} occurs twice", Quoted(parsed.get<std::string>()));
    }
    if (depth > max_depth && problem.empty()) problem = fmt::format("is nested deeper than {}", max_depth);
    return problem.empty();
  };
  // The parser itself recurses on nothing, so depth costs memory only; it is bounded by the text.
  try {
    ordered_json json = ordered_json::parse(text, watch);
    if (problem.empty()) return json;
  } catch (const ordered_json::parse_error& error) {
    return Fail(ErrorCode::kFormat, fmt::format("{}: offset {}", name, error.byte), "is no well-formed JSON",
                "the file is damaged; fetch it again");
  } catch (const ordered_json::exception&) {
    problem = "holds a number that is out of range";
  }
  return Fail(ErrorCode::kFormat, name, problem);
}

}  // namespace isoveil
