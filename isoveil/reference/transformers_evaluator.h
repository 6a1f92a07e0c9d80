// A Hugging Face folder by transformers, in a Python process of its own: what the format's own library says of it.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto model, TransformersEvaluator::Load("folder", {.python = "python3"}));
//   ISOVEIL_ASSIGN_OR_RETURN(std::vector<float> logits, model.Logits(ids));
//
// Weights are widened to fp32 and attention is computed in the plain way; no code of the folder is run and nothing is
// downloaded. It shares no code with Isoveil: neither its reading of configurations nor its conversion to GGUF.
#pragma once

#include <string>

#include "isoveil/base/file.h"
#include "isoveil/base/framed_child.h"
#include "isoveil/reference/evaluator.h"

namespace isoveil {

struct TransformersOptions {
  std::string python = "python3";  // a name is looked up on PATH; it must know torch and transformers
  unsigned n_threads = 0;          // 0: one per core
  bool token_by_token = false;     // one position at a time, with a cache: sums in another order
};

// Movable. The process ends with it.
class TransformersEvaluator : public Evaluator {
 public:
  // kNotFound without such a Python, kUnsupported with transformers' own words if it does not load the folder.
  static Result<TransformersEvaluator> Load(const Path& folder, const TransformersOptions& options = {});

  // "transformers 4.46.3, torch 1.13.0"
  const std::string& engine() const { return engine_; }

  int64_t n_vocab() const override { return n_vocab_; }
  Result<std::vector<float>> Logits(std::span<const int32_t> ids) override;
  // Without a cache: for short texts.
  Result<std::vector<int32_t>> Greedy(std::span<const int32_t> prompt, int32_t n) override;

 private:
  TransformersEvaluator(FramedChild child, std::string where, std::string engine, int64_t n_vocab);

  FramedChild child_;
  std::string where_;
  std::string engine_;
  int64_t n_vocab_ = 0;
};

}  // namespace isoveil
