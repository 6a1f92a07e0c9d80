// An encrypted model that speaks of plain ids.
//
//   DecryptedEvaluator model(server, cipher);      // both must outlive it
//   const auto logits = model.Logits(plain_ids);   // in plain order
#pragma once

#include "isoveil/package/vocab_cipher.h"
#include "isoveil/reference/evaluator.h"

namespace isoveil {

class DecryptedEvaluator : public Evaluator {
 public:
  DecryptedEvaluator(Evaluator& encrypted, const VocabCipher& cipher) : encrypted_(encrypted), cipher_(cipher) {}

  int64_t n_vocab() const override { return encrypted_.n_vocab(); }
  Result<std::vector<float>> Logits(std::span<const int32_t> ids) override;
  Result<std::vector<int32_t>> Greedy(std::span<const int32_t> prompt, int32_t n) override;

 private:
  Evaluator& encrypted_;
  const VocabCipher& cipher_;
};

}  // namespace isoveil
