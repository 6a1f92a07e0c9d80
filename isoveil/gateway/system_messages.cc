#include "isoveil/gateway/system_messages.h"

#include <algorithm>

namespace isoveil {
namespace {

Json Say(const char* role, Json content) { return {{"role", role}, {"content", std::move(content)}}; }
Json Part(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

bool IsSystem(const Json& message) { return message.is_object() && Member(message, "role") == "system"; }

// Words that no template holds.
bool Takes(const ChatTemplate& chat, Json messages, std::initializer_list<std::string_view> words) {
  const auto prompt = chat.Render({.messages = std::move(messages)});
  if (!prompt) return false;
  for (const std::string_view word : words) {
    if (prompt->text.find(word) == std::string::npos) return false;
  }
  return true;
}

// As llama.cpp joins them for templates that take strings alone.
std::string TextOf(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (const Json& part : content.is_array() ? content : Json::array()) {
    if (!part.is_object() || !Member(part, "text").is_string()) continue;
    if (!text.empty()) text += "\n";
    text += part["text"].get<std::string>();
  }
  return text;
}

// Nothing but parts of text: the template's check names what is wrong with others.
bool IsAllText(const Json& content) {
  if (!content.is_array()) return content.is_string();
  return std::all_of(content.begin(), content.end(), [](const Json& part) {
    return part.is_object() && Member(part, "type") == "text" && Member(part, "text").is_string();
  });
}

// Appends the text of `message` to the first message of `kept`.
void Merge(const Json& message, Json& kept) {
  const std::string more = TextOf(message["content"]);
  std::string text = TextOf(kept.front()["content"]);
  if (!text.empty() && !more.empty()) text += "\n\n";
  kept.front()["content"] = text + more;
}

}  // namespace

SystemPlaces FindSystemPlaces(const ChatTemplate& chat) {
  const Json first = Say("system", "Zuerich one.");
  const Json second = Say("system", "Zuerich two.");
  const Json ask = Say("user", "Three?");
  SystemPlaces places;
  places.several = Takes(chat, Json::array({first, second, ask}), {"Zuerich one.", "Zuerich two."});
  places.late =
      Takes(chat, Json::array({first, ask, Say("assistant", "Four."), second, ask}), {"Zuerich one.", "Zuerich two."});
  places.parts = Takes(chat,
                       Json::array({Say("system", Json::array({Part("Zuerich one."), Part("Zuerich two.")})),
                                    Say("user", Json::array({Part("Three?"), Part("Zuerich four.")}))}),
                       {"Zuerich one.", "Zuerich two.", "Zuerich four."});
  return places;
}

void FitSystemMessages(const SystemPlaces& places, Json& messages) {
  Json kept = Json::array();
  bool leading = true;
  for (Json& message : messages) {
    const bool system = IsSystem(message) && message.contains("content") && IsAllText(message["content"]);
    const bool stays = kept.empty() || !system || (leading ? places.several : places.late);
    leading = leading && system;
    if (!places.parts && message.is_object() && Member(message, "content").is_array() &&
        IsAllText(message["content"])) {
      message["content"] = TextOf(message["content"]);
    }
    if (stays) {
      kept.push_back(std::move(message));
    } else {
      if (!IsSystem(kept.front())) kept.insert(kept.begin(), Say("system", ""));
      Merge(message, kept);
    }
  }
  messages = std::move(kept);
}

void AppendToSystem(Json& messages, const std::string& text) {
  if (text.empty()) return;
  const bool has = IsSystem(messages.front());
  if (has && Member(messages.front(), "content").is_array()) {
    messages.front()["content"].push_back(Part("\n" + text));
  } else if (has && Member(messages.front(), "content").is_string()) {
    messages.front()["content"] = messages.front()["content"].get<std::string>() + "\n\n" + text;
  } else {
    messages.insert(messages.begin(), Say("system", text));
  }
}

}  // namespace isoveil
