#include "isoveil/gateway/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace isoveil {
namespace {

std::string Head(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

}  // namespace

void Histogram::Add(double seconds) {
  const auto bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), seconds) - kBuckets.begin();
  ++counts_[static_cast<size_t>(bucket)];
  total_us_ += static_cast<uint64_t>(std::max(seconds, 0.0) * 1e6);
}

std::string Histogram::Samples(std::string_view name, std::string_view labels) const {
  std::string text;
  uint64_t count = 0;
  for (size_t i = 0; i < kBuckets.size(); ++i) {
    count += counts_[i];
    text += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, labels, kBuckets[i], count);
  }
  count += counts_.back();
  text += fmt::format("{}_bucket{{{}le=\"+Inf\"}} {}\n", name, labels, count);
  const std::string_view bare = labels.substr(0, labels.empty() ? 0 : labels.size() - 1);
  const std::string braces = bare.empty() ? "" : fmt::format("{{{}}}", bare);
  return text + fmt::format("{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, braces,
                            static_cast<double>(total_us_.load()) / 1e6, count);
}

void Metrics::End(int status, double seconds, const RequestCost& cost) {
  --running_;
  ++by_class_[static_cast<size_t>(std::clamp(status / 100, 0, 5))];
  seconds_.Add(seconds);
  if (!cost.server) return;
  Server& server = servers_.at(*cost.server);
  server.prompt_tokens += cost.prompt_tokens;
  server.completion_tokens += cost.completion_tokens;
  if (cost.first_token_seconds) server.first_token.Add(*cost.first_token_seconds);
}

std::string Metrics::Text(size_t n_upstreams_ready) const {
  std::string text =
      Head("isoveil_requests_running", "gauge", "Requests that run now.") +
      fmt::format("isoveil_requests_running {}\n", running_.load()) +
      Head("isoveil_upstreams_ready", "gauge", "Servers that may be used now.") +
      fmt::format("isoveil_upstreams_ready {}\n", n_upstreams_ready) +
      Head("isoveil_requests_total", "counter", "Requests that have ended, by the class of their status.");
  for (size_t i = 1; i < by_class_.size(); ++i) {
    text += fmt::format("isoveil_requests_total{{status=\"{}xx\"}} {}\n", i, by_class_[i].load());
  }
  text += Head("isoveil_request_seconds", "histogram", "From a request's head to the end of its answer.") +
          seconds_.Samples("isoveil_request_seconds", "");
  const auto each = [&](const auto& samples) {
    for (size_t i = 0; i < servers_.size(); ++i) text += samples(servers_[i], fmt::format("server=\"{}\"", i + 1));
  };
  text += Head("isoveil_prompt_tokens_total", "counter", "Tokens of prompts, by the server that was asked last.");
  each([](const Server& server, const std::string& label) {
    return fmt::format("isoveil_prompt_tokens_total{{{}}} {}\n", label, server.prompt_tokens.load());
  });
  text += Head("isoveil_completion_tokens_total", "counter",
               "Tokens that were generated, by the server that was asked last.");
  each([](const Server& server, const std::string& label) {
    return fmt::format("isoveil_completion_tokens_total{{{}}} {}\n", label, server.completion_tokens.load());
  });
  text += Head("isoveil_first_token_seconds", "histogram",
               "From a request to its first token, by the server that was asked last.");
  each([](const Server& server, const std::string& label) {
    return server.first_token.Samples("isoveil_first_token_seconds", label + ",");
  });
  return text;
}

}  // namespace isoveil
