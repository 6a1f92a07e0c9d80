// Logits of a GGUF model by libllama, in this process: the reference that `verify` compares with.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Evaluator model, Evaluator::Load("plain.gguf", {.n_context = 512}));
//   ISOVEIL_ASSIGN_OR_RETURN(std::vector<float> logits, model.Logits(ids));    // [ids.size()][n_vocab]
//   ISOVEIL_ASSIGN_OR_RETURN(std::vector<int32_t> more, model.Greedy(ids, 200));
//
// Ids are those of the model as it stands: plain for a plain model, encrypted for an encrypted one.
// Runs on the CPU with fixed kernels, so that two runs with equal options agree bit by bit;
// `token_by_token` sums in another order, which shows the rounding of the model itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"

namespace isoveil {

struct EvaluatorOptions {
  int32_t n_context = 512;      // longest sequence; 0: that of the model
  int32_t n_threads = 0;        // 0: one per core
  bool token_by_token = false;  // one position at a time instead of all in a batch
  bool flash_attention = false;
  // The cache of keys and values is F32, so that it adds no rounding of its own; true gives F16, what
  // servers use.
  bool f16_cache = false;
};

// Movable; one call at a time. Each call stands alone: nothing is kept between calls.
class Evaluator {
 public:
  // kNotFound, or kFormat if libllama refuses the file: the text gives its reasons.
  static Result<Evaluator> Load(const Path& gguf, const EvaluatorOptions& options = {});

  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;
  ~Evaluator();

  int64_t n_vocab() const;
  int64_t n_context() const;

  // Row-major [ids.size()][n_vocab]: row i holds the logits of the token after ids[0..i].
  // kInvalidArgument for no ids, too many, or one outside the vocabulary. Adds no BOS.
  Result<std::vector<float>> Logits(std::span<const int32_t> ids);

  // The n most probable next ids, one after the other; of equal logits the lowest id. Goes past end
  // ids. kInvalidArgument if prompt and continuation exceed the context.
  Result<std::vector<int32_t>> Greedy(std::span<const int32_t> prompt, int32_t n);

 private:
  struct State;
  explicit Evaluator(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace isoveil
