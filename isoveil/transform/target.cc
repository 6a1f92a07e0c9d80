#include "isoveil/transform/target.h"

#include "isoveil/transform/targets.h"

namespace isoveil {

const Target& TargetOf(FormatKind kind) {
  switch (kind) {
    case FormatKind::kGguf: return GgufTarget();
    case FormatKind::kHuggingFace: return HfTarget();
  }
  return HfTarget();
}

Result<PlaceholderVocabulary> ServerVocabulary(uint64_t n_vocab, const VocabCipher& cipher,
                                               const Vocabulary& vocabulary) {
  std::vector<PlainId> plain;
  const SpecialIds& special = vocabulary.special_ids();
  if (special.eos) plain.push_back(*special.eos);
  for (const PlainId id : special.end_of_generation) {
    if (id != special.eos) plain.push_back(id);
  }
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<WireId> stops, cipher.Encrypt(plain));
  return PlaceholderVocabulary::Make(n_vocab, std::move(stops));
}

}  // namespace isoveil
