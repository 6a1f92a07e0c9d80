// Hashes of content as it streams by, over OpenSSL's libcrypto: git's SHA-1 of blobs is nothing that
// libsodium has, and this SHA-256 uses the processor's instructions.
//
//   ISOVEIL_ASSIGN_OR_RETURN(ContentHash hash, ContentHash::Start(file.hash_kind, file.size));
//   hash.Update(bytes);
//   if (hash.Finish() != file.hash) ...
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "isoveil/base/file.h"
#include "isoveil/hub/repo.h"

struct evp_md_ctx_st;

namespace isoveil {

// Not for concurrent use.
class ContentHash {
 public:
  // `size` is that of the whole content: git hashes it first.
  static Result<ContentHash> Start(HashKind kind, uint64_t size);

  void Update(std::span<const std::byte> bytes);
  // Lower-case hexadecimal; ends the hash.
  std::string Finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  explicit ContentHash(evp_md_ctx_st* context) : context_(context) {}

  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// Feeds the first `size` bytes of `fd` to `hash`. `path` is for errors.
Status HashPrefix(int fd, const Path& path, uint64_t size, ContentHash& hash);

}  // namespace isoveil
