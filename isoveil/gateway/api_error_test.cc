#include "isoveil/gateway/api_error.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

TEST(ApiErrorTest, WhatTheGatewayFailsOnByItselfIsOneCode) {
  for (const ErrorCode code : {ErrorCode::kExists, ErrorCode::kIo, ErrorCode::kNoSpace, ErrorCode::kNoMemory}) {
    const auto json = ToApiError({code, "response store", "is full", ""}).ToJson();
    EXPECT_EQ(json["error"]["code"], "internal_error") << ErrorCodeName(code);
    EXPECT_EQ(json["error"]["type"], "server_error");
  }
}

TEST(ApiErrorTest, WhatHasNoCodeOrFieldSaysNull) {
  const auto json = ApiError{.message = "x"}.ToJson();
  EXPECT_TRUE(json["error"]["code"].is_null());
  EXPECT_TRUE(json["error"]["param"].is_null());
}

}  // namespace
}  // namespace isoveil
