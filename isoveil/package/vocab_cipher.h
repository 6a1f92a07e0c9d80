// Plain ids to encrypted ids and back: the codec of ports of ids and logits, the action of a key on their space.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto cipher, VocabCipher::Derive(model_key, *manifest.ports.SpaceOf(PortKind::kIds)));
//   ISOVEIL_ASSIGN_OR_RETURN(WireId sent, cipher.Encrypt(plain));
//   ISOVEIL_ASSIGN_OR_RETURN(PlainId text, cipher.Decrypt(received));     // text == plain
//
// The permutation moves all ids, special and unused ones too. It follows Action::Permutation: row i of
// the encrypted embedding is row source[i] of the plain one, so that
//
//   Decrypt(i) = source[i],    Encrypt(source[i]) = i.
//
// The tables are secret: they are wiped when the cipher goes, and neither they nor ids appear in error
// texts. A cipher is immutable and may be used from many threads; it can be moved but not copied.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isoveil/algebra/port.h"
#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"
#include "isoveil/key/model_key.h"

namespace isoveil {

class VocabCipher {
 public:
  // The table of DrawSpace. kInvalidArgument if the space is no vocabulary: empty, too large, no whole number of its
  // runs, or moved otherwise than by permutations.
  static Result<VocabCipher> Derive(const ModelKey& key, const SpaceRecord& vocab);

  // Takes over a permutation; kInvalidArgument if it is none.
  static Result<VocabCipher> FromPermutation(std::vector<uint32_t> source);

  VocabCipher(VocabCipher&& other) noexcept = default;
  VocabCipher& operator=(VocabCipher&& other) noexcept;
  VocabCipher(const VocabCipher&) = delete;
  VocabCipher& operator=(const VocabCipher&) = delete;
  ~VocabCipher();

  uint64_t n_vocab() const { return source_.size(); }

  // kInvalidArgument for negative ids and those of n_vocab or more.
  Result<WireId> Encrypt(PlainId plain) const;
  Result<PlainId> Decrypt(WireId encrypted) const;

  // The same for many; the error names the position of the first bad id.
  Result<std::vector<WireId>> Encrypt(std::span<const PlainId> plain) const;
  Result<std::vector<PlainId>> Decrypt(std::span<const WireId> encrypted) const;

  // The secret permutation: encrypted id i stands for plain id source()[i].
  std::span<const uint32_t> source() const { return source_; }

 private:
  VocabCipher(std::vector<uint32_t> source, std::vector<uint32_t> inverse);
  void Wipe();

  std::vector<uint32_t> source_;
  std::vector<uint32_t> inverse_;
};

}  // namespace isoveil
