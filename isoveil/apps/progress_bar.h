// A progress bar on stderr, drawn only on a terminal. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace isoveil {

class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  void Show(uint64_t done, uint64_t total);
  void Finish();

 private:
  std::string label_;
  bool terminal_;
  bool drawn_ = false;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point next_ = {};
};

}  // namespace isoveil
