// The hub's access token: where it is found, and a type that is not printed by accident.
//
//   ISOVEIL_ASSIGN_OR_RETURN(HubToken token, FindHubToken(&::getenv));
//   if (token.empty()) ...                                     // public models need none
#pragma once

#include <functional>
#include <string>

#include "isoveil/base/result.h"

namespace isoveil {

// Wiped when it is dropped. Immutable; safe to share between threads.
class HubToken {
 public:
  HubToken() = default;
  explicit HubToken(std::string text) : text_(std::move(text)) {}
  HubToken(const HubToken&) = default;
  HubToken& operator=(const HubToken&) = default;
  ~HubToken();

  bool empty() const { return text_.empty(); }
  // For the Authorization header alone.
  const std::string& InsecureText() const { return text_; }

 private:
  std::string text_;
};

using Environment = std::function<const char*(const char* name)>;

// The first of $HF_TOKEN, $HUGGING_FACE_HUB_TOKEN, the file $HF_TOKEN_PATH, $HF_HOME/token,
// $XDG_CACHE_HOME/huggingface/token, ~/.cache/huggingface/token; empty if there is none. A variable that is
// set to nothing counts as unset. kInvalidArgument, without the text, if it cannot be a token.
Result<HubToken> FindHubToken(const Environment& environment);

}  // namespace isoveil
