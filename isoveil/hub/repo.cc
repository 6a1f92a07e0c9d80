#include "isoveil/hub/repo.h"

#include <algorithm>

namespace isoveil {
namespace {

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool IsNamePart(std::string_view part) {
  return !part.empty() && std::all_of(part.begin(), part.end(), IsNameByte) && part.front() != '-' &&
         part.front() != '.' && part.back() != '-' && part.back() != '.';
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool IsHex(std::string_view text, size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<RepoId> RepoId::Parse(std::string_view text) {
  constexpr size_t kMaxSize = 96;
  const size_t slash = text.find('/');
  const bool has_owner = slash != std::string_view::npos;
  const bool ok = text.size() <= kMaxSize && text.find("--") == std::string_view::npos &&
                  text.find("..") == std::string_view::npos && !text.ends_with(".git") &&
                  IsNamePart(text.substr(has_owner ? slash + 1 : 0)) &&
                  (!has_owner || IsNamePart(text.substr(0, slash)));
  if (!ok) {
    return Fail(ErrorCode::kInvalidArgument, "repository", "expected OWNER/NAME, found " + Quoted(text),
                "write it as on the model's page, for example TinyLlama/TinyLlama-1.1B-Chat-v1.0");
  }
  return RepoId(std::string(text));
}

Status CheckRevision(std::string_view revision) {
  constexpr size_t kMaxSize = 256;
  if (revision.empty() || revision.size() > kMaxSize || std::any_of(revision.begin(), revision.end(), IsControl)) {
    return Fail(ErrorCode::kInvalidArgument, "--revision",
                "expected a branch, tag or commit, found " + Quoted(revision));
  }
  return Ok();
}

Status CheckFilePath(std::string_view path) {
  const auto refuse = [&](const char* why) {
    return Fail(ErrorCode::kFormat, "file name " + Quoted(path), why,
                "the repository is broken or hostile; nothing of it is kept under that name");
  };
  constexpr size_t kMaxSize = 1024;
  if (path.empty()) return refuse("is empty");
  if (path.size() > kMaxSize) return refuse("is longer than 1024 bytes");
  if (path.front() == '/') return refuse("is absolute");
  if (std::any_of(path.begin(), path.end(), IsControl)) return refuse("has control characters");
  if (path.find('\\') != std::string_view::npos) return refuse("has a backslash");
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty()) return refuse("has an empty part");
    if (part == "." || part == "..") return refuse("leads out of its folder");
    begin = end + 1;
  }
  return Ok();
}

bool IsGitHash(std::string_view text) { return IsHex(text, 40); }
bool IsSha256(std::string_view text) { return IsHex(text, 64); }

std::string_view HashKindName(HashKind kind) { return kind == HashKind::kSha256 ? "sha256" : "git_sha1"; }

}  // namespace isoveil
