#include "isoveil/apps/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "isoveil/apps/cli.h"

namespace isoveil {

ProgressBar::ProgressBar(std::string label) : label_(std::move(label)), terminal_(::isatty(STDERR_FILENO) != 0) {}

void ProgressBar::Show(uint64_t done, uint64_t total) {
  if (!terminal_ || total == 0) return;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now < next_ && done < total) return;
  next_ = now + std::chrono::milliseconds(100);
  constexpr uint64_t kWidth = 30;
  const uint64_t filled = done * kWidth / total;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const auto rate = static_cast<uint64_t>(static_cast<double>(done) / std::max(seconds, 1e-3));
  fmt::print(stderr, "\r{} [{}{}] {:3}%  {} of {}  {}/s \x1b[K", label_, std::string(filled, '='),
             std::string(kWidth - filled, ' '), done * 100 / total, HumanBytes(done), HumanBytes(total),
             HumanBytes(rate));
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::Finish() {
  const std::lock_guard lock(mutex_);
  if (drawn_) fmt::print(stderr, "\n");
  drawn_ = false;
}

}  // namespace isoveil
