#include "isoveil/gateway/request_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace isoveil {
namespace {

std::string Time(std::chrono::system_clock::time_point time) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (ms - seconds).count());
}

double Rounded(double ms) { return std::round(ms * 10) / 10; }

std::string OrDash(std::string_view text) { return std::string(text.empty() ? "-" : text); }

nlohmann::ordered_json OrNull(std::string_view text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace

std::string LogLine(LogForm form, const LogEntry& entry) {
  if (form == LogForm::kText) {
    return fmt::format("{} {} {} status={} prompt_tokens={} completion_tokens={} ms={:.1f} first_token_ms={} server={}",
                       Time(entry.time), entry.method, OrDash(entry.endpoint), entry.status, entry.prompt_tokens,
                       entry.completion_tokens, entry.ms,
                       entry.first_token_ms ? fmt::format("{:.1f}", *entry.first_token_ms) : "-", OrDash(entry.server));
  }
  const nlohmann::ordered_json first =
      entry.first_token_ms ? nlohmann::ordered_json(Rounded(*entry.first_token_ms)) : nlohmann::ordered_json(nullptr);
  const nlohmann::ordered_json json = {{"time", Time(entry.time)},
                                       {"method", entry.method},
                                       {"endpoint", OrNull(entry.endpoint)},
                                       {"status", entry.status},
                                       {"prompt_tokens", entry.prompt_tokens},
                                       {"completion_tokens", entry.completion_tokens},
                                       {"ms", Rounded(entry.ms)},
                                       {"first_token_ms", first},
                                       {"server", OrNull(entry.server)}};
  return json.dump();
}

}  // namespace isoveil
