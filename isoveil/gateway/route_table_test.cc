#include "isoveil/gateway/route_table.h"

#include <gtest/gtest.h>

#include <regex>

namespace isoveil {
namespace {

RouteTable All() {
  std::vector<const Endpoint*> endpoints;
  for (const Endpoint& endpoint : Endpoints()) endpoints.push_back(&endpoint);
  return RouteTable(std::move(endpoints));
}

using Methods = std::set<std::string_view>;

TEST(RouteTableTest, PathsAreFoundInEverySpelling) {
  const RouteTable routes = All();
  const std::regex chat(RouteTable::Pattern("/v1/chat/completions"));
  const std::regex model(RouteTable::Pattern("/v1/models/{id}"));
  const std::regex health(RouteTable::Pattern("/health"));
  for (const char* path :
       {"/v1/chat/completions", "/chat/completions", "/v1/chat/completions/", "/chat/completions/"}) {
    EXPECT_TRUE(std::regex_match(path, chat)) << path;
    EXPECT_EQ(routes.Methods(path), Methods{"POST"}) << path;
    EXPECT_EQ(routes.Find(path)->path, "/v1/chat/completions") << path;
  }
  for (const char* path : {"/v1/chat", "/v2/chat/completions", "/v1/chat/completions/x", "/v1v1/chat/completions"}) {
    EXPECT_FALSE(std::regex_match(path, chat)) << path;
    EXPECT_EQ(routes.Find(path), nullptr) << path;
    EXPECT_TRUE(routes.Methods(path).empty()) << path;
  }
  for (const char* path : {"/v1/models/org/name", "/models/org/name", "/v1/models/org/name/"}) {
    std::cmatch match;
    ASSERT_TRUE(std::regex_match(path, match, model)) << path;
    EXPECT_EQ(match[1], "org/name");
    EXPECT_EQ(routes.Methods(path), Methods{"GET"}) << path;
    EXPECT_EQ(routes.Find(path)->path, "/v1/models/{id}") << path;
  }
  EXPECT_FALSE(std::regex_match("/v1/models/", model));
  EXPECT_EQ(routes.Find("/v1/models/")->path, "/v1/models");
  EXPECT_TRUE(std::regex_match("/health/", health));
  EXPECT_FALSE(std::regex_match("/v1/health", health));
}

TEST(RouteTableTest, MethodsAreCollected) {
  const RouteTable routes = All();
  EXPECT_EQ(routes.Methods("/v1/responses/resp_1"), (Methods{"GET", "DELETE"}));
  EXPECT_EQ(routes.Methods("/responses/"), (Methods{"POST"}));
  EXPECT_EQ(routes.Methods(), (Methods{"DELETE", "GET", "POST"}));
}

TEST(RouteTableTest, ErrorsBelowAnEndpointHaveItsForm) {
  const RouteTable routes = All();
  for (const char* path : {"/v1/messages", "/messages/", "/v1/messages/count_tokens", "/v1/messages/batches"}) {
    EXPECT_EQ(routes.ErrorsAt(path), ErrorForm::kAnthropic) << path;
  }
  for (const char* path : {"/v1/chat/completions", "/v1/messagesx", "/", "/nothing"}) {
    EXPECT_EQ(routes.ErrorsAt(path), ErrorForm::kOpenAi) << path;
  }
}

TEST(EndpointTest, EachIsThereOnceAndAsksForAKeyUnlessItTellsNothingOfTheModel) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Endpoint& endpoint : Endpoints()) {
    EXPECT_TRUE(seen.emplace(endpoint.method, endpoint.path).second) << endpoint.path;
    EXPECT_TRUE(endpoint.method == "GET" || endpoint.method == "POST" || endpoint.method == "DELETE") << endpoint.path;
    EXPECT_NE(endpoint.answer, nullptr) << endpoint.path;
    EXPECT_EQ(endpoint.is_open, endpoint.path == "/health") << endpoint.path;
    // What works has a slot of its key; a look has none.
    const std::set<std::string_view> looks = {"/health", "/metrics", "/isoveil/status"};
    EXPECT_EQ(endpoint.is_look, looks.contains(endpoint.path)) << endpoint.path;
  }
}

}  // namespace
}  // namespace isoveil
