// Results and errors: how every fallible function of the library reports.
//
//   Result<MappedFile> Open(const Path& path);
//
//   Status Use(const Path& path) {
//     ISOVEIL_ASSIGN_OR_RETURN(MappedFile file, Open(path));
//     if (file.bytes().empty()) return Fail(ErrorCode::kFormat, path.string(), "is empty");
//     return Ok();
//   }
//
// Nothing is thrown across the library's edge. A Result must be consumed; an Error says where it
// happened, what was expected and found, and what to do. Error texts never hold secrets, prompts or
// raw bytes of a file: callers quote foreign text with Quoted().
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace isoveil {

enum class ErrorCode {
  kInvalidArgument,  // the caller's request makes no sense: a usage error
  kNotFound,         // a file, tensor or field is missing
  kExists,           // the target is there already; nothing is overwritten
  kIo,               // the operating system refused a read or write
  kNoSpace,          // the disk is full
  kNoMemory,         // the memory budget is too small for the work
  kFormat,           // the input is malformed: truncated, overlapping, out of range, wrong type
  kUnsupported,      // well formed, but no rule covers it
  kAuth,             // wrong passphrase, key or credential
  kMismatch,         // two things that must agree do not
  kUnavailable,      // a server cannot be reached or does not answer
  kCancelled,        // the caller stopped the work
  kTooLong,          // more than the model's context takes
  kUnfulfilled,      // the model did not give what was asked for
};

// The stable lower-case name of a code, for `--json` output: "not_found", "format", ...
std::string_view ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code;
  std::string where;    // "model.safetensors: tensor 'model.norm.weight'": file, offset, field
  std::string problem;  // "expected 64 elements, found 32"
  std::string hint;     // what to do about it; may be empty

  // "where: problem", without the hint.
  std::string Message() const;
};

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

inline Status Ok() { return {}; }

inline tl::unexpected<Error> Fail(ErrorCode code, std::string where, std::string problem, std::string hint = "") {
  return tl::unexpected<Error>(Error{code, std::move(where), std::move(problem), std::move(hint)});
}

// Foreign text in single quotes, control and non-ASCII bytes as \xNN, cut at 80 characters: safe on
// a terminal and in a log.
std::string Quoted(std::string_view text, size_t most = 80);

}  // namespace isoveil

#define ISOVEIL_CONCAT_INNER(a, b) a##b
#define ISOVEIL_CONCAT(a, b) ISOVEIL_CONCAT_INNER(a, b)

// Returns the error of `expr`, a Status or Result, if it failed.
#define ISOVEIL_RETURN_IF_ERROR(expr)                                             \
  do {                                                                            \
    if (auto isoveil_status = (expr); !isoveil_status)                            \
      return tl::unexpected<::isoveil::Error>(std::move(isoveil_status).error()); \
  } while (false)

// Declares or assigns `lhs` from the value of the Result `expr`, or returns its error.
#define ISOVEIL_ASSIGN_OR_RETURN(lhs, expr) \
  ISOVEIL_ASSIGN_OR_RETURN_IMPL(ISOVEIL_CONCAT(isoveil_result_, __LINE__), lhs, expr)
#define ISOVEIL_ASSIGN_OR_RETURN_IMPL(result, lhs, expr)                           \
  auto result = (expr);                                                            \
  if (!result) return tl::unexpected<::isoveil::Error>(std::move(result).error()); \
  lhs = *std::move(result)
