#include "isoveil/reference/transformers_evaluator.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "isoveil/base/parallel.h"
#include "isoveil/base/program.h"
#include "isoveil/base/strict_json.h"
#include "transformers_worker.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// Loading reads a checkpoint, evaluating is one pass over a text; on a slow disk and processor both may be long.
constexpr auto kLimit = std::chrono::hours(2);
constexpr size_t kMostText = 1 << 16;
constexpr char kLogits = 'L';

// The answer to a question that is answered in words.
Result<ordered_json> ReadAnswer(const std::string& where, const std::string& answer) {
  ISOVEIL_ASSIGN_OR_RETURN(ordered_json json, ParseStrictJson(answer, where));
  if (const auto error = json.find("error"); error != json.end() && error->is_string()) {
    return Fail(ErrorCode::kUnsupported, where,
                fmt::format("transformers cannot evaluate it: {}", Quoted(error->get<std::string>(), 500)),
                "see whether AutoModelForCausalLM.from_pretrained loads the folder");
  }
  return json;
}

}  // namespace

TransformersEvaluator::TransformersEvaluator(FramedChild child, std::string where, std::string engine, int64_t n_vocab)
    : child_(std::move(child)), where_(std::move(where)), engine_(std::move(engine)), n_vocab_(n_vocab) {}

Result<TransformersEvaluator> TransformersEvaluator::Load(const Path& folder, const TransformersOptions& options) {
  constexpr const char* kHint = "name a Python that knows torch and transformers with --python";
  const Path python = FindProgram(options.python);
  if (python.empty()) return Fail(ErrorCode::kNotFound, options.python, "is no program", kHint);
  ISOVEIL_ASSIGN_OR_RETURN(FramedChild child, FramedChild::Start({python.string(), "-c", kTransformersWorker}));
  const std::string where = folder.string();
  const ordered_json question = {{"folder", AbsolutePath(folder).string()},
                                 {"token_by_token", options.token_by_token},
                                 {"n_threads", ThreadCount(options.n_threads)}};
  const Result<std::string> answer = child.Ask(question.dump(), kLimit, kMostText);
  if (!answer) return Fail(ErrorCode::kUnavailable, python.string(), answer.error().problem, kHint);
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json loaded, ReadAnswer(where, *answer));
  const auto engine = loaded.find("engine"), n_vocab = loaded.find("n_vocab");
  if (engine == loaded.end() || !engine->is_string() || n_vocab == loaded.end() || !n_vocab->is_number_unsigned()) {
    return Fail(ErrorCode::kUnavailable, python.string(), "does not answer as the program that was given to it", kHint);
  }
  return TransformersEvaluator(std::move(child), where, engine->get<std::string>(), n_vocab->get<int64_t>());
}

Result<std::vector<float>> TransformersEvaluator::Logits(std::span<const int32_t> ids) {
  if (ids.empty() || std::ranges::any_of(ids, [&](int32_t id) { return id < 0 || id >= n_vocab_; })) {
    return Fail(ErrorCode::kInvalidArgument, "ids", fmt::format("expected ids from 0 to {}", n_vocab_ - 1));
  }
  const size_t bytes = ids.size() * static_cast<size_t>(n_vocab_) * sizeof(float);
  const ordered_json question = {{"ids", std::vector<int32_t>(ids.begin(), ids.end())}};
  ISOVEIL_ASSIGN_OR_RETURN(const std::string answer,
                           child_.Ask(question.dump(), kLimit, std::max(kMostText, bytes + 1)));
  if (!answer.starts_with(kLogits)) {
    ISOVEIL_RETURN_IF_ERROR(ReadAnswer(where_, answer));
  }
  if (answer.size() != bytes + 1) {
    return Fail(ErrorCode::kUnavailable, where_,
                fmt::format("expected {} bytes of logits from transformers, found {}", bytes, answer.size()));
  }
  std::vector<float> logits(bytes / sizeof(float));
  std::memcpy(logits.data(), answer.data() + 1, bytes);
  return logits;
}

Result<std::vector<int32_t>> TransformersEvaluator::Greedy(std::span<const int32_t> prompt, int32_t n) {
  std::vector<int32_t> ids(prompt.begin(), prompt.end());
  for (int32_t i = 0; i < n; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> logits, Logits(ids));
    const auto last = logits.end() - n_vocab_;
    ids.push_back(static_cast<int32_t>(std::max_element(last, logits.end()) - last));
  }
  return std::vector<int32_t>(ids.begin() + static_cast<ptrdiff_t>(prompt.size()), ids.end());
}

}  // namespace isoveil
