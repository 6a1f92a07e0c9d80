// Logits of a model, for comparison: what `verify` judges by.
//
//   ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator model, LlamaEvaluator::Load("plain.gguf", {.n_context = 512}));
//   ISOVEIL_ASSIGN_OR_RETURN(std::vector<float> logits, model.Logits(ids));    // [ids.size()][n_vocab]
//
// Ids are those of the model as it stands: plain for a plain model, encrypted for an encrypted one. One call at a time;
// each stands alone: nothing is kept between calls.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"

namespace isoveil {

class Evaluator {
 public:
  virtual ~Evaluator() = default;

  virtual int64_t n_vocab() const = 0;

  // Row-major [ids.size()][n_vocab]: row i holds the logits of the token after ids[0..i].
  // kInvalidArgument for no ids, too many, or one outside the vocabulary. Adds no BOS.
  virtual Result<std::vector<float>> Logits(std::span<const int32_t> ids) = 0;

  // The n most probable next ids, one after the other; of equal logits the lowest id. Goes past end
  // ids. kInvalidArgument if prompt and continuation exceed the context.
  virtual Result<std::vector<int32_t>> Greedy(std::span<const int32_t> prompt, int32_t n) = 0;
};

// A list of ids for a model that knows one kind alone, and back.
template <typename Id>
std::vector<int32_t> ToModel(std::span<const Id> ids) {
  std::vector<int32_t> numbers;
  for (const Id id : ids) numbers.push_back(Value(id));
  return numbers;
}
template <typename Id>
std::vector<Id> FromModel(std::span<const int32_t> numbers) {
  std::vector<Id> ids;
  for (const int32_t number : numbers) ids.push_back(Id{number});
  return ids;
}

}  // namespace isoveil
