#include "isoveil/hub/token.h"

#include <string.h>

#include <algorithm>

#include "isoveil/base/file.h"

namespace isoveil {
namespace {

std::string Get(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? "" : value;
}

// Where the token's file lies; empty if nothing tells.
Path TokenFile(const Environment& environment) {
  if (const std::string path = Get(environment, "HF_TOKEN_PATH"); !path.empty()) return path;
  if (const std::string home = Get(environment, "HF_HOME"); !home.empty()) return Path(home) / "token";
  if (const std::string cache = Get(environment, "XDG_CACHE_HOME"); !cache.empty()) {
    return Path(cache) / "huggingface/token";
  }
  if (const std::string home = Get(environment, "HOME"); !home.empty()) {
    return Path(home) / ".cache/huggingface/token";
  }
  return {};
}

// Anything but printable ASCII could end the header it stands in.
Result<HubToken> Check(std::string text, const std::string& where) {
  constexpr size_t kMaxSize = 4096;
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.pop_back();
  HubToken token(std::move(text));
  const std::string& held = token.InsecureText();
  if (held.size() > kMaxSize || !std::all_of(held.begin(), held.end(), [](char c) { return c > ' ' && c < 0x7f; })) {
    return Fail(ErrorCode::kInvalidArgument, where, "does not hold a token: printable ASCII on one line",
                "write the token as the hub shows it, beginning with hf_");
  }
  return token;
}

}  // namespace

HubToken::~HubToken() { ::explicit_bzero(text_.data(), text_.size()); }

Result<HubToken> FindHubToken(const Environment& environment) {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    if (std::string value = Get(environment, name); !value.empty()) {
      return Check(std::move(value), std::string("$") + name);
    }
  }
  const Path path = TokenFile(environment);
  if (path.empty()) return HubToken();
  Result<std::string> text = ReadTextFile(path, 1 << 16);
  if (!text && text.error().code == ErrorCode::kNotFound) return HubToken();
  if (!text) return tl::unexpected(std::move(text).error());
  return Check(*std::move(text), path.string());
}

}  // namespace isoveil
