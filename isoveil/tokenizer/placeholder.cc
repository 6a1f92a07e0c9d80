#include "isoveil/tokenizer/placeholder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

namespace isoveil {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// llama.cpp stops on the ids of these keys.
constexpr std::array<const char*, 6> kStopKeys = {"tokenizer.ggml.eos_token_id",     "tokenizer.ggml.eot_token_id",
                                                  "tokenizer.ggml.eom_token_id",     "tokenizer.ggml.fim_pad_token_id",
                                                  "tokenizer.ggml.fim_rep_token_id", "tokenizer.ggml.fim_sep_token_id"};

constexpr int32_t kNormal = 1;
constexpr int32_t kControl = 3;
constexpr unsigned kMinWidth = 4;

unsigned HexDigits(uint64_t n) {
  unsigned digits = 1;
  while (n >>= 4) ++digits;
  return digits;
}

}  // namespace

PlaceholderVocabulary::PlaceholderVocabulary(uint64_t n_vocab, unsigned width, std::vector<WireId> stops,
                                             std::vector<WireId> left_to_client)
    : n_vocab_(n_vocab), width_(width), stops_(std::move(stops)), left_to_client_(std::move(left_to_client)) {}

Result<PlaceholderVocabulary> PlaceholderVocabulary::Make(uint64_t n_vocab, std::vector<WireId> end_of_generation) {
  if (n_vocab == 0 || n_vocab > kMaxVocabulary) {
    return Fail(ErrorCode::kInvalidArgument, "vocabulary",
                fmt::format("expected 1 to {} tokens, found {}", kMaxVocabulary, n_vocab));
  }
  std::set<WireId> seen;
  for (const WireId id : end_of_generation) {
    if (Value(id) < 0 || static_cast<uint64_t>(id) >= n_vocab || !seen.insert(id).second) {
      return Fail(ErrorCode::kInvalidArgument, "vocabulary", "an end-of-generation id is out of range or given twice");
    }
  }
  std::vector<WireId> left;
  if (end_of_generation.size() > kStopKeys.size()) {
    left.assign(end_of_generation.begin() + kStopKeys.size(), end_of_generation.end());
    end_of_generation.resize(kStopKeys.size());
  }
  const unsigned width = std::max(kMinWidth, HexDigits(n_vocab - 1));
  return PlaceholderVocabulary(n_vocab, width, std::move(end_of_generation), std::move(left));
}

std::string PlaceholderVocabulary::Name(WireId id) const { return fmt::format("t{:0{}x}", Value(id), width_); }

Result<WireId> PlaceholderVocabulary::Id(std::string_view name) const {
  int32_t number = 0;
  if (name.size() == width_ + 1 && name.front() == 't') {
    const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), number, 16);
    if (error == std::errc() && end == name.data() + name.size() && number >= 0 &&
        static_cast<uint64_t>(number) < n_vocab_ && Name(WireId{number}) == name) {
      return WireId{number};
    }
  }
  return Fail(ErrorCode::kInvalidArgument, "token name", fmt::format("{} names no token", Quoted(name)));
}

Status PlaceholderVocabulary::AddTo(GgufMetadata& metadata) const {
  for (const auto& [key, value] : metadata) {
    if (key.starts_with("tokenizer.") && key != kTokenTypeCountKey) {
      return Fail(ErrorCode::kExists, fmt::format("key {}", Quoted(key)), "is there already and may be a plain one");
    }
  }
  std::vector<std::string> tokens;
  std::vector<int32_t> types(n_vocab_, kNormal);
  for (uint64_t id = 0; id < n_vocab_; ++id) tokens.push_back(Name(static_cast<WireId>(id)));
  for (const WireId id : stops_) types[static_cast<size_t>(id)] = kControl;
  // llama.cpp wants at least one merge; two names never stand together in a text, so it is never used.
  std::vector<std::string> merges = {tokens.front() + " " + tokens.back()};
  metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.Set("tokenizer.ggml.pre", std::string("default"));
  metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
  metadata.Set("tokenizer.ggml.token_type", std::move(types));
  metadata.Set("tokenizer.ggml.merges", std::move(merges));
  for (size_t i = 0; i < stops_.size(); ++i) metadata.Set(kStopKeys[i], static_cast<uint32_t>(stops_[i]));
  metadata.Set("tokenizer.ggml.add_bos_token", false);
  metadata.Set("tokenizer.ggml.add_eos_token", false);
  return Ok();
}

std::vector<TextFile> PlaceholderVocabulary::HfFiles() const {
  // Sorted names are in the order of their ids; an ordered_json would search all earlier ones for each.
  json vocab = json::object();
  for (uint64_t id = 0; id < n_vocab_; ++id) vocab[Name(static_cast<WireId>(id))] = id;
  // Every id is in the vocabulary, so the unknown token is never used; WordLevel wants one.
  const std::string unknown = Name(WireId{0});
  const json tokenizer = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", json::array()},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
      {"post_processor", nullptr},
      {"decoder", nullptr},
      {"model", {{"type", "WordLevel"}, {"vocab", std::move(vocab)}, {"unk_token", unknown}}},
  };
  const ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                               {"clean_up_tokenization_spaces", false},
                               {"model_max_length", 1000000000}};
  return {{"tokenizer.json", tokenizer.dump() + "\n"},
          {"tokenizer_config.json", config.dump(2) + "\n"},
          {"special_tokens_map.json", "{}\n"}};
}

}  // namespace isoveil
