// One line for each request: when, which endpoint, how it ended, what it cost, which server. Nothing of a request or an
// answer, no name, no id, no key.
//
//   std::string line = LogLine(LogForm::kText, entry);
//   // 2026-11-27T10:53:29.123Z POST /v1/chat/completions status=200 prompt_tokens=30 completion_tokens=16 ms=123.4 ...
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace isoveil {

enum class LogForm { kText, kJson };

struct LogEntry {
  std::chrono::system_clock::time_point time;  // of the end
  std::string_view method;
  std::string_view endpoint;  // as it is documented, such as "/v1/models/{id}"; empty: there is none
  int status = 200;
  uint64_t prompt_tokens = 0;
  uint64_t completion_tokens = 0;
  double ms = 0;
  std::optional<double> first_token_ms;
  std::string_view server;  // its address as configured; empty: none was asked
};

// Without an end of line.
std::string LogLine(LogForm form, const LogEntry& entry);

}  // namespace isoveil
