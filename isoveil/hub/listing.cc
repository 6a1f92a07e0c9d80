#include "isoveil/hub/listing.h"

#include <nlohmann/json.hpp>
#include <set>

#include "isoveil/base/strict_json.h"
#include "isoveil/hub/web_address.h"
#include "isoveil/net/url.h"

namespace isoveil {
namespace {

using json = nlohmann::ordered_json;

constexpr size_t kMaxBody = 32 << 20;
constexpr size_t kMaxFiles = 200'000;
// More than a hub takes; the sum over all files stays far from 2^64.
constexpr uint64_t kMaxFileSize = uint64_t{1} << 44;

struct Page {
  std::string body;
  std::string next;  // absolute; empty at the end
};

Result<Page> GetPage(HubClient& client, const std::string& url, const RetryPolicy& policy,
                     const std::stop_token& stop) {
  Backoff backoff(policy);
  for (;;) {
    Page page;
    const auto start = [](const HubAnswer&) { return Ok(); };
    const auto data = [&](std::string_view bytes) -> Status {
      if (page.body.size() + bytes.size() > kMaxBody) {
        return Fail(ErrorCode::kFormat, WithoutQuery(url), fmt::format("answers with more than {} bytes", kMaxBody));
      }
      page.body += bytes;
      return Ok();
    };
    auto answer = client.Get({.url = url, .if_range = {}}, start, data, stop);
    if (!answer) {
      ISOVEIL_RETURN_IF_ERROR(backoff.Wait(std::move(answer).error(), stop));
      continue;
    }
    const auto link = answer->headers.find("link");
    const std::string next = link == answer->headers.end() ? "" : NextLink(link->second);
    if (!next.empty()) {
      ISOVEIL_ASSIGN_OR_RETURN(page.next, FollowRedirect(answer->url, next));
    }
    return page;
  }
}

auto BadAnswer(const std::string& where, std::string problem) {
  return Fail(ErrorCode::kFormat, where, std::move(problem), "check that the endpoint is a model hub");
}

std::string StringField(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// The git blob of an LFS file is its pointer; its content is under "lfs".
Result<HubFile> ParseEntry(const json& entry) {
  HubFile file{.path = StringField(entry, "path"), .hash = {}};
  const std::string where = "tree entry " + Quoted(file.path);
  const auto lfs = entry.find("lfs");
  const bool in_lfs = lfs != entry.end() && lfs->is_object();
  const json& source = in_lfs ? *lfs : entry;
  const auto size = source.find("size");
  if (size == source.end() || !size->is_number_unsigned()) return BadAnswer(where, "has no size");
  file.size = size->get<uint64_t>();
  if (file.size > kMaxFileSize)
    return BadAnswer(where, fmt::format("expected at most {} bytes, found {}", kMaxFileSize, file.size));
  file.hash = StringField(source, "oid");
  file.hash_kind = in_lfs ? HashKind::kSha256 : HashKind::kGitBlob;
  if (in_lfs ? !IsSha256(file.hash) : !IsGitHash(file.hash)) {
    return BadAnswer(where, fmt::format("expected a {}, found {}", HashKindName(file.hash_kind), Quoted(file.hash)));
  }
  return file;
}

Result<std::string> ResolveCommit(HubClient& client, const std::string& url, const RetryPolicy& policy,
                                  const std::stop_token& stop) {
  ISOVEIL_ASSIGN_OR_RETURN(const Page page, GetPage(client, url, policy, stop));
  ISOVEIL_ASSIGN_OR_RETURN(const json info, ParseStrictJson(page.body, url));
  const std::string commit = info.is_object() ? StringField(info, "sha") : "";
  if (!IsGitHash(commit)) return BadAnswer(url, "expected a model with its commit under \"sha\"");
  return commit;
}

}  // namespace

Result<std::vector<HubFile>> ParseTreePage(std::string_view text) {
  ISOVEIL_ASSIGN_OR_RETURN(const json page, ParseStrictJson(text, "file list"));
  if (!page.is_array()) return BadAnswer("file list", "expected a JSON array");
  std::vector<HubFile> files;
  for (const json& entry : page) {
    if (!entry.is_object()) return BadAnswer("file list", "expected an array of objects");
    if (StringField(entry, "type") != "file") continue;
    ISOVEIL_ASSIGN_OR_RETURN(HubFile file, ParseEntry(entry));
    files.push_back(std::move(file));
  }
  return files;
}

Result<HubListing> ListRepository(HubClient& client, const RepoId& repo, const std::string& revision,
                                  const RetryPolicy& policy, const std::stop_token& stop) {
  const std::string model = client.settings().endpoint + "/api/models/" + repo.text();
  HubListing listing;
  ISOVEIL_ASSIGN_OR_RETURN(listing.commit,
                           ResolveCommit(client, model + "/revision/" + PercentEncode(revision, false), policy, stop));
  std::string url = model + "/tree/" + listing.commit + "?recursive=true";
  std::set<std::string> visited;
  while (!url.empty()) {
    if (!visited.insert(url).second) return BadAnswer(WithoutQuery(url), "lists the same page twice");
    ISOVEIL_ASSIGN_OR_RETURN(Page page, GetPage(client, url, policy, stop));
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<HubFile> files, ParseTreePage(page.body));
    // A page without files may still be followed by others, but not for ever.
    if (listing.files.size() + files.size() > kMaxFiles || visited.size() > kMaxFiles / 100) {
      return BadAnswer(WithoutQuery(url), fmt::format("lists more than {} files", kMaxFiles));
    }
    std::move(files.begin(), files.end(), std::back_inserter(listing.files));
    url = std::move(page.next);
  }
  return listing;
}

}  // namespace isoveil
