#include "isoveil/gateway/route_table.h"

#include <gtest/gtest.h>

#include <regex>

namespace isoveil {
namespace {

TEST(RouteTableTest, PathsAreFoundInEverySpelling) {
  RouteTable routes;
  const std::regex chat(routes.Add("POST", "/v1/chat/completions"));
  const std::regex model(routes.Add("GET", "/v1/models/{id}"));
  const std::regex health(routes.Add("GET", "/health"));
  for (const char* path :
       {"/v1/chat/completions", "/chat/completions", "/v1/chat/completions/", "/chat/completions/"}) {
    EXPECT_TRUE(std::regex_match(path, chat)) << path;
    EXPECT_EQ(routes.Methods(path), std::set<std::string>{"POST"}) << path;
    EXPECT_EQ(routes.Name(path), "/v1/chat/completions") << path;
  }
  for (const char* path : {"/v1/chat", "/v2/chat/completions", "/v1/chat/completions/x", "/v1v1/chat/completions"}) {
    EXPECT_FALSE(std::regex_match(path, chat)) << path;
    EXPECT_TRUE(routes.Methods(path).empty()) << path;
  }
  for (const char* path : {"/v1/models/org/name", "/models/org/name", "/v1/models/org/name/"}) {
    std::cmatch match;
    ASSERT_TRUE(std::regex_match(path, match, model)) << path;
    EXPECT_EQ(match[1], "org/name");
    EXPECT_EQ(routes.Methods(path), std::set<std::string>{"GET"}) << path;
    EXPECT_EQ(routes.Name(path), "/v1/models/{id}") << path;
  }
  EXPECT_FALSE(std::regex_match("/v1/models/", model));
  EXPECT_EQ(routes.Name("/v1/models/"), "");
  EXPECT_TRUE(routes.Methods("/v1/models/").empty());
  EXPECT_TRUE(std::regex_match("/health/", health));
  EXPECT_FALSE(std::regex_match("/v1/health", health));
}

TEST(RouteTableTest, MethodsOfOnePathAreCollected) {
  RouteTable routes;
  routes.Add("GET", "/v1/responses/{id}");
  routes.Add("DELETE", "/v1/responses/{id}");
  routes.Add("POST", "/v1/responses");
  EXPECT_EQ(routes.Methods("/v1/responses/resp_1"), (std::set<std::string>{"GET", "DELETE"}));
  EXPECT_EQ(routes.Methods("/responses/"), (std::set<std::string>{"POST"}));
}

}  // namespace
}  // namespace isoveil
