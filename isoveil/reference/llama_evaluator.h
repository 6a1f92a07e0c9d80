// A GGUF model by libllama, in this process.
//
//   ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator model, LlamaEvaluator::Load("plain.gguf", {.n_context = 512}));
//   ISOVEIL_ASSIGN_OR_RETURN(std::vector<int32_t> more, model.Greedy(ids, 200));
//
// Runs on the CPU with fixed kernels, so that two runs with equal options agree bit by bit;
// `token_by_token` sums in another order, which shows the rounding of the model itself.
#pragma once

#include <memory>

#include "isoveil/base/file.h"
#include "isoveil/reference/evaluator.h"

namespace isoveil {

struct LlamaOptions {
  int32_t n_context = 512;      // longest sequence; 0: that of the model
  int32_t n_threads = 0;        // 0: one per core, or one alone for a small model
  bool token_by_token = false;  // one position at a time instead of all in a batch
  bool flash_attention = false;
  // The cache of keys and values is F32, so that it adds no rounding of its own; true gives F16, what
  // servers use.
  bool f16_cache = false;
  // GELU by its formula instead of llama.cpp's table of fp16 values (exact_gelu.h): for comparing functions, not what a
  // server computes.
  bool exact_gelu = false;
};

// Movable.
class LlamaEvaluator : public Evaluator {
 public:
  // kNotFound, or kFormat if libllama refuses the file: the text gives its reasons.
  static Result<LlamaEvaluator> Load(const Path& gguf, const LlamaOptions& options = {});

  LlamaEvaluator(LlamaEvaluator&&) noexcept;
  LlamaEvaluator& operator=(LlamaEvaluator&&) noexcept;
  ~LlamaEvaluator() override;

  int64_t n_vocab() const override;
  int64_t n_context() const;
  Result<std::vector<float>> Logits(std::span<const int32_t> ids) override;
  Result<std::vector<int32_t>> Greedy(std::span<const int32_t> prompt, int32_t n) override;

 private:
  struct State;
  explicit LlamaEvaluator(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace isoveil
