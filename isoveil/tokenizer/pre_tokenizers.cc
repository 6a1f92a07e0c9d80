#include "isoveil/tokenizer/pre_tokenizers.h"

#include <array>

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// How a pre_tokenizer is written here: the regular expressions of its Split steps, "digits" for single
// digits, "gpt2" for ByteLevel's own expression, joined by newlines.
struct Known {
  std::string_view steps;
  PreTokenizer pre;
};

constexpr std::string_view kGpt2 = "gpt2";
constexpr std::string_view kDigits = "digits";

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// DeepSeek V3 has three expressions, one after the other; their line breaks are characters, not escapes.
constexpr std::string_view kDeepSeek3 =
    "\\p{N}{1,3}\n"
    "[一-龥぀-ゟ゠-ヿ]+\n"
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

// Not here, because llama.cpp only comes near: GPT-4o's expression, whose classes of combining marks and of
// capital letters beyond ASCII it leaves out; Indian scripts get other ids.
constexpr std::array kKnown = {
    Known{kDeepSeek3, {"deepseek-v3", false}},

    Known{kLlama3, {"llama-bpe", true}},
    // The same expression without whole words, as DBRX and Smaug have it.
    Known{kLlama3, {"dbrx", false}},
    Known{kQwen2, {"qwen2", false}},
    Known{kGpt2, {"gpt-2", false}},
    Known{"digits\ngpt2", {"smollm", false}},
};

bool Flag(const ordered_json& object, const char* name, bool fallback) {
  const auto it = object.find(name);
  return it != object.end() && it->is_boolean() ? it->get<bool>() : fallback;
}

std::string Text(const ordered_json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

Result<std::string> DescribeStep(const ordered_json& step, const std::string& where) {
  const std::string type = step.is_object() ? Text(step, "type") : "";
  if (type == "ByteLevel") {
    if (Flag(step, "add_prefix_space", true)) {
      return Fail(ErrorCode::kUnsupported, where, "ByteLevel with add_prefix_space has no counterpart in llama.cpp");
    }
    return std::string(Flag(step, "use_regex", true) ? kGpt2 : "");
  }
  if (type == "Digits" && Flag(step, "individual_digits", false)) return std::string(kDigits);
  if (type == "Split" && Text(step, "behavior") == "Isolated" && !Flag(step, "invert", false) &&
      step.contains("pattern") && step["pattern"].is_object()) {
    return Text(step["pattern"], "Regex");
  }
  return Fail(ErrorCode::kUnsupported, where,
              fmt::format("the pre-tokenizer step {} is not known", Quoted(step.dump())));
}

}  // namespace

Result<PreTokenizer> FindPreTokenizer(const ordered_json& pre_tokenizer, bool ignore_merges, const std::string& where) {
  const std::string place = where + ": pre_tokenizer";
  ordered_json steps = ordered_json::array({pre_tokenizer});
  if (pre_tokenizer.is_object() && Text(pre_tokenizer, "type") == "Sequence" &&
      pre_tokenizer.contains("pretokenizers")) {
    steps = pre_tokenizer["pretokenizers"];
  }
  std::string described;
  bool byte_level = false;
  for (const ordered_json& step : steps) {
    byte_level = byte_level || (step.is_object() && Text(step, "type") == "ByteLevel");
    ISOVEIL_ASSIGN_OR_RETURN(const std::string text, DescribeStep(step, place));
    if (!text.empty()) described += (described.empty() ? "" : "\n") + text;
  }
  if (!byte_level) return Fail(ErrorCode::kUnsupported, place, "expected a ByteLevel step, found none");
  for (const Known& known : kKnown) {
    if (known.steps == described && known.pre.ignore_merges == ignore_merges) return known.pre;
  }
  return Fail(ErrorCode::kUnsupported, place,
              fmt::format("no pre-tokenizer of llama.cpp is known to split like {}{}", Quoted(described),
                          ignore_merges ? " with ignore_merges" : ""),
              "add it to isoveil/tokenizer/pre_tokenizers.cc, with a test against Hugging Face's tokenizers");
}

}  // namespace isoveil
