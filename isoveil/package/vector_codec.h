// Encrypted vectors to plain ones and back: the codec of ports of vectors, the action of a key on their space.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const VectorCodec codec, VectorCodec::Derive(model_key, space));
//   ISOVEIL_ASSIGN_OR_RETURN(const std::vector<double> plain, codec.Decrypt(received));
//
// The server's vector is g v for the plain vector v. In fp64; a permutation with signs and powers of two is exact, so
// that what a server gives in fp32 comes back bit by bit. Immutable; safe to use from many threads.
#pragma once

#include <span>
#include <vector>

#include "isoveil/algebra/action.h"
#include "isoveil/algebra/port.h"
#include "isoveil/base/result.h"
#include "isoveil/key/model_key.h"

namespace isoveil {

class VectorCodec {
 public:
  // kInvalidArgument if the space is one that no port has: heads' dense maps are not drawn for whole vectors.
  static Result<VectorCodec> Derive(const ModelKey& key, const SpaceRecord& space);

  uint64_t dim() const { return action_.dim(); }

  // kInvalidArgument unless there are dim() numbers.
  Result<std::vector<double>> Encrypt(std::span<const double> plain) const;
  Result<std::vector<double>> Decrypt(std::span<const double> encrypted) const;

 private:
  explicit VectorCodec(Action action) : action_(std::move(action)), inverse_(action_.Inverse()) {}

  Action action_;
  Action inverse_;
};

}  // namespace isoveil
