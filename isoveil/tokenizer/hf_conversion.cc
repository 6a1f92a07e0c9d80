#include "isoveil/tokenizer/hf_conversion.h"

namespace isoveil {

using nlohmann::ordered_json;

tl::unexpected<Error> HfConversion::Unsupported(std::string_view field, std::string problem) const {
  return Fail(ErrorCode::kUnsupported, fmt::format("{}: {}", files.where, field), std::move(problem),
              "a vocabulary that is nearly right would give a model that is nearly right");
}

tl::unexpected<Error> HfConversion::Malformed(std::string_view field, std::string problem) const {
  return Fail(ErrorCode::kFormat, fmt::format("{}: {}", files.where, field), std::move(problem));
}

Status HfConversion::SetToken(const ordered_json& id, const std::string& text, int32_t type, const char* field) {
  if (!id.is_number_unsigned() || id.get<uint64_t>() >= n_vocab) {
    return Malformed(
        field, fmt::format("token {}: expected an id below {}, the rows of the embedding", Quoted(text), n_vocab));
  }
  Token& token = tokens[id.get<uint64_t>()];
  if (token.type != kUnused && token.text != text) {
    return Malformed(field, fmt::format("id {} has two texts", id.get<uint64_t>()));
  }
  token.text = text;
  token.type = type;
  ids[text] = id.get<uint64_t>();
  return Ok();
}

std::optional<uint64_t> HfConversion::NamedId(const char* name) const {
  for (const ordered_json* file : {&files.config, &files.special}) {
    const auto it = file->find(name);
    if (it == file->end()) continue;
    const std::string text = it->is_string() ? it->get<std::string>() : TextOf(*it, "content");
    if (const auto found = ids.find(text); found != ids.end()) return found->second;
  }
  return std::nullopt;
}

bool Flag(const ordered_json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

std::string TextOf(const ordered_json& object, const char* name) {
  if (!object.is_object()) return "";
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

std::string TypeOf(const ordered_json& object) { return TextOf(object, "type"); }

std::vector<ordered_json> StepsOf(const ordered_json& tokenizer, const char* component, const char* list) {
  const ordered_json steps = tokenizer.value(component, ordered_json());
  if (steps.is_null()) return {};
  if (TypeOf(steps) == "Sequence" && steps.contains(list) && steps[list].is_array()) {
    return {steps[list].begin(), steps[list].end()};
  }
  return {steps};
}

Status ReadVocabObject(HfConversion& c) {
  if (!c.model->contains("vocab") || !(*c.model)["vocab"].is_object())
    return c.Malformed("model.vocab", "expected an object");
  for (const auto& [text, id] : (*c.model)["vocab"].items()) {
    ISOVEIL_RETURN_IF_ERROR(c.SetToken(id, text, kNormal, "model.vocab"));
  }
  return Ok();
}

}  // namespace isoveil
