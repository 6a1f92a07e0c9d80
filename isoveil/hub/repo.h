// Names on a model hub: repositories, revisions, files.
//
//   ISOVEIL_ASSIGN_OR_RETURN(RepoId repo, RepoId::Parse("TinyLlama/TinyLlama-1.1B-Chat-v1.0"));
//   repo.name();                                               // "TinyLlama-1.1B-Chat-v1.0"
//   ISOVEIL_RETURN_IF_ERROR(CheckFilePath("model.safetensors"));
//
// Names come from a person or from a server; neither is trusted. What passes here can stand in a URL once it
// is percent-encoded, and a file's path joined to a folder stays inside the folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// "OWNER/NAME", or "NAME" alone for the hub's oldest models.
class RepoId {
 public:
  // kInvalidArgument unless it follows the hub's rules: letters, digits, '-', '_', '.'; at most 96 bytes; no
  // "--", no "..", no '-' or '.' at an end of a part, no ".git" at the end.
  static Result<RepoId> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  std::string name() const { return text_.substr(text_.find('/') + 1); }

 private:
  explicit RepoId(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

// A branch, tag, commit or "refs/pr/1". kInvalidArgument if it is empty, too long or has control bytes.
Status CheckRevision(std::string_view revision);

// kFormat unless `path` is relative, with '/' between parts that are neither empty nor "." nor "..", and
// without control bytes and backslashes.
Status CheckFilePath(std::string_view path);

// True for 40 lower-case hexadecimal digits: a commit or blob of git.
bool IsGitHash(std::string_view text);
// True for 64 lower-case hexadecimal digits.
bool IsSha256(std::string_view text);

// How a file's content is known before it is fetched.
enum class HashKind {
  kSha256,   // of the content: files in LFS
  kGitBlob,  // SHA-1 of "blob SIZE\0" and the content: files in git
};

std::string_view HashKindName(HashKind kind);  // "sha256", "git_sha1"

// A file of a repository at one commit.
struct HubFile {
  std::string path;
  uint64_t size = 0;
  HashKind hash_kind = HashKind::kSha256;
  std::string hash;  // lower-case hexadecimal

  bool operator==(const HubFile&) const = default;
};

}  // namespace isoveil
