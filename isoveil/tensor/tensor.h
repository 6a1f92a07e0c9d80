// A named, typed, shaped tensor: its description, and a read-only view of its bytes.
//
// Shapes are row-major with the slowest axis first, in every format: a linear map from X to Y stored
// as PyTorch does has shape {dim Y, dim X}. (GGUF writes its dimensions the other way round; the
// reader turns them.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isoveil/tensor/dtype.h"

namespace isoveil {

using Shape = std::vector<uint64_t>;

// "[4096, 11008]"
std::string ShapeName(std::span<const uint64_t> shape);

struct TensorInfo {
  std::string name;
  DType type = DType::kF32;
  Shape shape;

  bool operator==(const TensorInfo&) const = default;
};

// Elements of a shape, or nullopt if the product overflows. A scalar has one.
std::optional<uint64_t> ElementCount(std::span<const uint64_t> shape);

// Bytes of a tensor, or nullopt if they overflow or the last axis is not a whole number of blocks.
std::optional<uint64_t> TensorBytes(DType type, std::span<const uint64_t> shape);

struct Computation;

// A tensor whose bytes lie in memory (usually a mapped file) that outlives the view, or one that is computed from
// others when it is read and has no bytes: see computed.h.
struct TensorView {
  TensorInfo info;
  std::span<const std::byte> bytes;
  std::shared_ptr<const Computation> computed = nullptr;
};

}  // namespace isoveil
