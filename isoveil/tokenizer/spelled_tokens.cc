#include "isoveil/tokenizer/spelled_tokens.h"

#include <sodium.h>

#include <algorithm>

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// Eight of the 32 noncharacters, drawn for one request.
std::string RandomMark() {
  constexpr int kLength = 8;
  std::string mark;
  for (int i = 0; i < kLength; ++i) {
    mark += "\xEF\xB7";
    mark += static_cast<char>(0x90 + randombytes_uniform(32));
  }
  return mark;
}

// Puts marks into all strings of a JSON value, names of members included.
class Marker {
 public:
  Marker(const SpelledTokens& spelled, std::string mark) : spelled_(spelled), mark_(std::move(mark)) {}

  void MarkMessages(ordered_json& messages) {
    for (ordered_json& message : messages) {
      const auto role = message.find("role");
      own_ = role == message.end() || *role != "assistant";
      JoinEscapes(message);
      MarkValue(message);
    }
    own_ = true;
  }

  void MarkValue(ordered_json& value) {
    if (value.is_string()) {
      value = Marked(value.get_ref<const std::string&>());
    } else if (value.is_array()) {
      MarkList(value);
    } else if (value.is_object()) {
      ordered_json marked = ordered_json::object();
      for (auto& [name, member] : value.items()) {
        MarkValue(member);
        marked[Marked(name)] = std::move(member);
      }
      value = std::move(marked);
    }
  }

  bool any() const { return any_; }

 private:
  std::string Marked(const std::string& text) { return Marked(text, spelled_.Find(text, own_)); }

  std::string Marked(const std::string& text, const std::vector<size_t>& places) {
    if (places.empty()) return text;
    any_ = true;
    std::string marked;
    size_t begin = 0;
    for (const size_t place : places) {
      marked.append(text, begin, place - begin).append(mark_);
      begin = place;
    }
    return marked.append(text, begin);
  }

  // Parts of text are put together by templates, and so may what they spell.
  void MarkList(ordered_json& list) {
    const bool parts = !list.empty() && std::all_of(list.begin(), list.end(), [](const ordered_json& part) {
      return part.is_object() && part.contains("text") && part["text"].is_string();
    });
    if (!parts) {
      for (ordered_json& entry : list) MarkValue(entry);
      return;
    }
    std::string whole;
    for (const ordered_json& part : list) whole += part["text"].get_ref<const std::string&>();
    const std::vector<size_t> places = spelled_.Find(whole, own_);
    size_t offset = 0;
    for (ordered_json& part : list) {
      const std::string text = part["text"].get<std::string>();
      std::vector<size_t> here;
      for (const size_t place : places) {
        if (place >= offset && place < offset + text.size()) here.push_back(place - offset);
      }
      offset += text.size();
      part["text"] = "";
      MarkValue(part);
      part["text"] = Marked(text, here);
    }
  }

  // The arguments of a call are JSON in a string, which may spell a token in escapes ("\u003c|im_end|>").
  void JoinEscapes(ordered_json& message) const {
    const auto calls = message.find("tool_calls");
    if (calls == message.end() || !calls->is_array()) return;
    for (ordered_json& call : *calls) {
      if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) continue;
      const auto arguments = call["function"].find("arguments");
      if (arguments == call["function"].end() || !arguments->is_string()) continue;
      const auto& text = arguments->get_ref<const std::string&>();
      if (text.find('\\') == std::string::npos) continue;
      // As llama.cpp reads them, or one could hide from here; CheckMessages has bounded their depth.
      const ordered_json parsed = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
      if (parsed.is_discarded()) continue;
      std::string joined = parsed.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
      if (spelled_.Find(joined, own_).size() > spelled_.Find(text, own_).size()) *arguments = std::move(joined);
    }
  }

  const SpelledTokens& spelled_;
  const std::string mark_;
  bool own_ = true;
  bool any_ = false;
};

// Takes the marks out; where they were, in what is left.
std::vector<size_t> TakeMarks(std::string& text, const std::string& mark) {
  std::vector<size_t> places;
  std::string rest;
  size_t begin = 0;
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, begin)) {
    rest.append(text, begin, at - begin);
    places.push_back(rest.size());
    begin = at + mark.size();
  }
  rest.append(text, begin);
  text = std::move(rest);
  return places;
}

// A token with a name that is more than white space and that the template writes.
bool IsWritten(std::string_view text, std::string_view source) {
  return (text.starts_with('<') || text.starts_with('[')) && text.size() > 2 &&
         source.find(text) != std::string_view::npos;
}

}  // namespace

SpelledTokens::SpelledTokens(const Vocabulary& vocabulary, std::string_view template_source) : by_first_(256) {
  for (uint64_t number = 0; number < vocabulary.n_tokens(); ++number) {
    const auto id = static_cast<PlainId>(number);
    const auto kind = vocabulary.Kind(id);
    const auto piece = vocabulary.Piece(id, /*special=*/true);
    if (!kind || !piece || piece->empty()) continue;
    const bool control = *kind == TokenKind::kControl || *kind == TokenKind::kUnknown;
    const bool special = control || *kind == TokenKind::kUserDefined;
    const bool always = control || (special && vocabulary.IsEndOfGeneration(id));
    if (!always && !(special && IsWritten(*piece, template_source))) continue;
    by_first_[static_cast<unsigned char>(piece->front())].push_back({std::string(*piece), always});
  }
}

std::vector<size_t> SpelledTokens::Find(std::string_view text, bool own) const {
  std::vector<size_t> places;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto& tokens = by_first_[static_cast<unsigned char>(text[i])];
    const bool spells = std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
      return (own || token.always) && text.substr(i).starts_with(token.text);
    });
    if (spells) places.push_back(i);
  }
  return places;
}

Result<PromptIds> RenderIds(const ChatTemplate& chat, const Vocabulary& vocabulary, const SpelledTokens* spelled,
                            const ChatRequest& request) {
  PromptIds out;
  ISOVEIL_ASSIGN_OR_RETURN(out.prompt, chat.Render(request));
  std::vector<size_t> barriers;
  if (spelled) {
    const std::string mark = RandomMark();
    ChatRequest marked = request;
    Marker marker(*spelled, mark);
    marker.MarkMessages(marked.messages);
    marker.MarkValue(marked.tools);
    marker.MarkValue(marked.kwargs);
    if (marker.any()) {
      ISOVEIL_ASSIGN_OR_RETURN(RenderedPrompt rendered, chat.Render(marked));
      barriers = TakeMarks(rendered.text, mark);
      out.prompt.text = std::move(rendered.text);
      // A content may begin with what looks like the template's own beginning.
      out.prompt.has_bos = rendered.has_bos && (barriers.empty() || barriers.front() > 0);
    }
  }
  ISOVEIL_ASSIGN_OR_RETURN(
      out.ids,
      vocabulary.Tokenize(out.prompt.text, {.add_special = !out.prompt.has_bos, .parse_special = true}, barriers));
  return out;
}

}  // namespace isoveil
