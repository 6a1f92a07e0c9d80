// Whether bytes are still what they were: 128 bits that differ where two contents differ by accident.
//
//   QuickHash hash;
//   hash.Update(tensor.bytes);
//   std::string text = hash.Hex();
//
// XXH3, which reads as fast as memory gives. Nobody is kept out by it: a file's owner can write what he likes. Hashes
// that others rely on are SHA-256 (identity.h).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace isoveil {

class QuickHash {
 public:
  QuickHash();
  QuickHash(const QuickHash&) = delete;
  QuickHash& operator=(const QuickHash&) = delete;
  ~QuickHash();

  void Update(std::span<const std::byte> bytes);
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isoveil
