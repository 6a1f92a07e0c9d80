// Reads the files of tests/vectors/format.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "isoveil/base/file.h"

namespace isoveil {

inline Path VectorPath(const std::string& file) { return Path(ISOVEIL_SOURCE_DIR) / "tests/vectors/format" / file; }

// Bytes in an allocation of exactly their size, so that a sanitizer sees one byte too far.
class ExactBytes {
 public:
  explicit ExactBytes(std::span<const std::byte> bytes)
      : size_(bytes.size()), data_(std::make_unique<std::byte[]>(bytes.size())) {
    std::copy(bytes.begin(), bytes.end(), data_.get());
  }
  std::span<std::byte> span() const { return {data_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<std::byte[]> data_;
};

inline std::string ReadVector(const std::string& file) {
  auto text = ReadTextFile(VectorPath(file));
  EXPECT_TRUE(text) << (text ? "" : text.error().Message());
  return text ? *std::move(text) : std::string();
}

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

}  // namespace isoveil
