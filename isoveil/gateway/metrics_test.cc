#include "isoveil/gateway/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <sstream>

namespace isoveil {
namespace {

// name and labels to value, of a text in Prometheus' form; fails where it is none.
std::map<std::string, double> Samples(const std::string& text) {
  static const std::regex kComment(R"(# (HELP \w+ .+|TYPE \w+ (counter|gauge|histogram)))");
  static const std::regex kSample(R"((\w+(\{\w+="[^"\\]*"(,\w+="[^"\\]*")*\})?) ([0-9.e+-]+))");
  std::map<std::string, double> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, kComment)) continue;
    EXPECT_TRUE(std::regex_match(line, match, kSample)) << line;
    EXPECT_TRUE(samples.emplace(match[1], std::stod(match[4])).second) << line;
  }
  EXPECT_TRUE(text.ends_with("\n"));
  return samples;
}

TEST(MetricsTest, CountsTokensAndFirstTokensByServer) {
  Metrics metrics(2);
  for (int i = 0; i < 4; ++i) metrics.Begin();
  metrics.End(200, 2, {.prompt_tokens = 30, .completion_tokens = 16, .first_token_seconds = 0.25, .server = 1});
  metrics.End(200, 0.07, {.prompt_tokens = 5, .completion_tokens = 7, .first_token_seconds = 0.02, .server = 1});
  metrics.End(503, 0.001, {.prompt_tokens = 9});
  const auto samples = Samples(metrics.Text(1));
  const std::map<std::string, double> expected = {
      {"isoveil_requests_running", 1},
      {"isoveil_upstreams_ready", 1},
      {"isoveil_requests_total{status=\"2xx\"}", 2},
      {"isoveil_requests_total{status=\"5xx\"}", 1},
      {"isoveil_request_seconds_count", 3},
      {"isoveil_request_seconds_bucket{le=\"0.01\"}", 1},
      {"isoveil_request_seconds_bucket{le=\"+Inf\"}", 3},
      {"isoveil_prompt_tokens_total{server=\"1\"}", 0},
      {"isoveil_prompt_tokens_total{server=\"2\"}", 35},
      {"isoveil_completion_tokens_total{server=\"2\"}", 23},
      {"isoveil_first_token_seconds_bucket{server=\"2\",le=\"0.05\"}", 1},
      {"isoveil_first_token_seconds_bucket{server=\"2\",le=\"0.5\"}", 2},
      {"isoveil_first_token_seconds_bucket{server=\"2\",le=\"+Inf\"}", 2},
      {"isoveil_first_token_seconds_sum{server=\"2\"}", 0.27},
      {"isoveil_first_token_seconds_count{server=\"2\"}", 2},
      {"isoveil_first_token_seconds_count{server=\"1\"}", 0},
  };
  for (const auto& [name, value] : expected) {
    ASSERT_TRUE(samples.contains(name)) << name;
    EXPECT_DOUBLE_EQ(samples.at(name), value) << name;
  }
}

TEST(MetricsTest, EveryFamilyHasItsHelpAndType) {
  const std::string text = Metrics(1).Text(0);
  for (const char* name :
       {"isoveil_requests_running", "isoveil_upstreams_ready", "isoveil_requests_total", "isoveil_request_seconds",
        "isoveil_prompt_tokens_total", "isoveil_completion_tokens_total", "isoveil_first_token_seconds"}) {
    EXPECT_NE(text.find(std::string("# HELP ") + name + " "), std::string::npos) << name;
    EXPECT_NE(text.find(std::string("# TYPE ") + name + " "), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace isoveil
