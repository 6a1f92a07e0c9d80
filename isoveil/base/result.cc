#include "isoveil/base/result.h"

namespace isoveil {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kExists: return "exists";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kNoSpace: return "no_space";
    case ErrorCode::kNoMemory: return "no_memory";
    case ErrorCode::kFormat: return "format";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kAuth: return "auth";
    case ErrorCode::kMismatch: return "mismatch";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kTooLong: return "too_long";
    case ErrorCode::kUnfulfilled: return "unfulfilled";
  }
  return "unknown";
}

std::string Error::Message() const { return where.empty() ? problem : fmt::format("{}: {}", where, problem); }

std::string Quoted(std::string_view text, size_t most) {
  std::string out = "'";
  for (char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\'' && c != '\\') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  if (text.size() > most) out += "...";
  out += "'";
  return out;
}

}  // namespace isoveil
