#include "isoveil/apps/decrypted_evaluator.h"

namespace isoveil {

Result<std::vector<float>> DecryptedEvaluator::Logits(std::span<const int32_t> ids) {
  const auto n = static_cast<size_t>(encrypted_.n_vocab());
  if (n != cipher_.n_vocab()) {
    return Fail(ErrorCode::kMismatch, "vocabulary",
                fmt::format("the encrypted model gives {} logits, the key is for {}", n, cipher_.n_vocab()));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<WireId> wire, cipher_.Encrypt(FromModel<PlainId>(ids)));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<float> logits, encrypted_.Logits(ToModel<WireId>(wire)));
  std::vector<float> plain(logits.size());
  for (size_t row = 0; row < ids.size(); ++row) {
    for (size_t i = 0; i < n; ++i) plain[row * n + cipher_.source()[i]] = logits[row * n + i];
  }
  return plain;
}

Result<std::vector<int32_t>> DecryptedEvaluator::Greedy(std::span<const int32_t> prompt, int32_t n) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<WireId> wire, cipher_.Encrypt(FromModel<PlainId>(prompt)));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int32_t> found, encrypted_.Greedy(ToModel<WireId>(wire), n));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<PlainId> plain, cipher_.Decrypt(FromModel<WireId>(found)));
  return ToModel<PlainId>(plain);
}

}  // namespace isoveil
