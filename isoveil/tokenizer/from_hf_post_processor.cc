#include <algorithm>

#include "isoveil/tokenizer/hf_conversion.h"
#include "isoveil/tokenizer/own_keys.h"

namespace isoveil {

using nlohmann::ordered_json;

namespace {

// A token or a text (one of own_keys.h's) and the type that its tokens get.
struct Part {
  int64_t item;
  int32_t type = 0;
};

struct Frame {
  std::vector<Part> single = {{kFirstText}};
  std::vector<Part> pair = {{kFirstText}, {kSecondText, 1}};
};

// The ids that a SpecialToken of a template stands for: its entry of special_tokens says it, not the vocabulary.
Result<std::vector<int64_t>> IdsOf(const HfConversion& c, const ordered_json& step, const std::string& name) {
  const ordered_json tokens = step.value("special_tokens", ordered_json::object());
  std::vector<int64_t> ids;
  if (tokens.is_object() && tokens.contains(name) && tokens[name].is_object() && tokens[name].contains("ids")) {
    for (const ordered_json& id : tokens[name]["ids"]) ids.push_back(id.is_number_unsigned() ? id.get<int64_t>() : -1);
  } else if (const auto it = c.ids.find(name); it != c.ids.end()) {
    ids.push_back(static_cast<int64_t>(it->second));
  }
  const auto is_row = [&](int64_t id) { return id >= 0 && static_cast<uint64_t>(id) < c.n_vocab; };
  if (ids.empty() || !std::all_of(ids.begin(), ids.end(), is_row))
    return c.Malformed("post_processor", "adds a token that is not there");
  return ids;
}

Result<std::vector<Part>> ReadTemplate(const HfConversion& c, const ordered_json& step, const char* name) {
  std::vector<Part> parts;
  for (const ordered_json& piece : step[name]) {
    const bool token = piece.contains("SpecialToken");
    const char* kind = token ? "SpecialToken" : "Sequence";
    if (!piece.contains(kind) || !piece[kind].is_object())  // a missing member of what is const is undefined behaviour
      return c.Malformed(fmt::format("post_processor.{}", name), "expected pieces SpecialToken and Sequence");
    const ordered_json& fields = piece[kind];
    const auto type = fields.value("type_id", int32_t{0});
    if (!token) {
      parts.push_back({fields.value("id", "A") == "A" ? kFirstText : kSecondText, type});
      continue;
    }
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, IdsOf(c, step, fields.value("id", "")));
    for (const int64_t id : ids) parts.push_back({id, type});
  }
  return parts;
}

// BertProcessing and RobertaProcessing: ["[SEP]", 102] in `sep`, and so `cls`. Roberta separates by two and has one
// type for all.
Result<Frame> ReadProcessing(const HfConversion& c, const ordered_json& step, bool roberta) {
  int64_t ids[2];
  for (const char* name : {"cls", "sep"}) {
    const ordered_json token = step.value(name, ordered_json());
    if (!token.is_array() || token.size() != 2 || !token[1].is_number_unsigned() ||
        token[1].get<uint64_t>() >= c.n_vocab) {
      return c.Malformed(fmt::format("post_processor.{}", name), "expected a token and its id");
    }
    ids[*name == 's'] = token[1].get<int64_t>();
  }
  const auto [cls, sep] = ids;
  Frame frame{.single = {{cls}, {kFirstText}, {sep}}, .pair = {{cls}, {kFirstText}, {sep}}};
  if (roberta) frame.pair.push_back({sep});
  const int32_t second = roberta ? 0 : 1;
  frame.pair.insert(frame.pair.end(), {{kSecondText, second}, {sep, second}});
  return frame;
}

Result<Frame> ReadFrame(const HfConversion& c) {
  Frame frame;
  bool found = false;
  for (const ordered_json& step : StepsOf(c.files.tokenizer, "post_processor", "processors")) {
    const std::string type = TypeOf(step);
    if (type == "ByteLevel") continue;  // moves offsets only
    if (found) return c.Unsupported("post_processor", "frames a text twice");
    found = true;
    if (type == "BertProcessing" || type == "RobertaProcessing") {
      ISOVEIL_ASSIGN_OR_RETURN(frame, ReadProcessing(c, step, type == "RobertaProcessing"));
    } else if (type == "TemplateProcessing" && step.contains("single") && step["single"].is_array()) {
      ISOVEIL_ASSIGN_OR_RETURN(frame.single, ReadTemplate(c, step, "single"));
      frame.pair.clear();
      if (step.contains("pair") && step["pair"].is_array()) {
        ISOVEIL_ASSIGN_OR_RETURN(frame.pair, ReadTemplate(c, step, "pair"));
      }
    } else {
      return c.Unsupported("post_processor", fmt::format("{} has no rule", Quoted(type)));
    }
  }
  return frame;
}

// A Llama tokenizer of transformers rebuilds its template from its flags.
void ApplyLlamaFlags(const HfConversion& c, Frame& frame) {
  const ordered_json& config = c.files.config;
  if (!config.value("tokenizer_class", "").starts_with("LlamaTokenizer")) return;
  const auto text = [](const Part& part) { return part.item == kFirstText; };
  for (const bool front : {true, false}) {
    const char* flag = front ? "add_bos_token" : "add_eos_token";
    if (!config.contains(flag)) continue;
    const std::optional<uint64_t> named = c.NamedId(front ? "bos_token" : "eos_token");
    auto& single = frame.single;
    const auto at = std::find_if(single.begin(), single.end(), text);
    if (front) {
      single.erase(single.begin(), at);
    } else if (at != single.end()) {
      single.erase(at + 1, single.end());
    }
    if (named && Flag(config, flag))
      single.insert(front ? single.begin() : single.end(), {static_cast<int64_t>(*named)});
    frame.pair.clear();
  }
  if (!frame.pair.empty()) return;
  for (const bool second : {false, true}) {
    for (const Part& part : frame.single)
      frame.pair.push_back({text(part) && second ? kSecondText : part.item, second ? 1 : 0});
  }
}

Status SetAdded(HfConversion& c, const Frame& frame, bool front) {
  const char* flag = front ? "add_bos_token" : "add_eos_token";
  const char* key = front ? "tokenizer.ggml.bos_token_id" : "tokenizer.ggml.eos_token_id";
  std::vector<uint64_t> added;
  bool before_text = true;
  for (const Part& part : frame.single) {
    if (part.item < 0) {
      before_text = false;
    } else if (before_text == front) {
      added.push_back(static_cast<uint64_t>(part.item));
    }
  }
  if (added.size() > 1) return c.Unsupported("post_processor", "adds two tokens on one side of the text");
  c.metadata.Set(fmt::format("tokenizer.ggml.{}", flag), !added.empty());
  for (const uint64_t id : added) {
    // config.json alone may name another: encoders never use it.
    const std::optional<uint64_t> named = c.NamedId(front ? "bos_token" : "eos_token");
    if (named && named != id) {
      return c.Unsupported("post_processor",
                           fmt::format("adds another token than {}", front ? "bos_token" : "eos_token"));
    }
    c.SetId(key, id);
  }
  return Ok();
}

void SetPair(HfConversion& c, const Frame& frame) {
  if (frame.pair.empty()) return;
  std::vector<int32_t> list;
  for (const Part& part : frame.pair) {
    list.push_back(static_cast<int32_t>(part.item));
    list.push_back(part.type);
  }
  c.metadata.Set(kPairKey, std::move(list));
}

}  // namespace

Status ConvertPostProcessor(HfConversion& c) {
  ISOVEIL_ASSIGN_OR_RETURN(Frame frame, ReadFrame(c));
  ApplyLlamaFlags(c, frame);
  ISOVEIL_RETURN_IF_ERROR(SetAdded(c, frame, /*front=*/true));
  ISOVEIL_RETURN_IF_ERROR(SetAdded(c, frame, /*front=*/false));
  SetPair(c, frame);
  return Ok();
}

}  // namespace isoveil
