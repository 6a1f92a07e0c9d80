// What the reader and the writer of GGUF share: numbers of the format, and the limits of what is accepted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace isoveil::gguf {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint32_t kVersion = 3;         // what is written; 2 is read as well
constexpr uint32_t kArrayType = 9;

constexpr uint32_t kDefaultAlignment = 32;
constexpr uint32_t kMaxAlignment = 1 << 16;
constexpr uint32_t kMaxDims = 4;
constexpr size_t kMaxKeyBytes = 65535;
constexpr size_t kMaxTensorNameBytes = 4096;
constexpr uint64_t kMaxShards = 65535;  // split.count is a uint16

constexpr const char* kAlignmentKey = "general.alignment";

constexpr bool IsValidAlignment(uint64_t alignment) {
  return alignment != 0 && alignment <= kMaxAlignment && (alignment & (alignment - 1)) == 0;
}

}  // namespace isoveil::gguf
