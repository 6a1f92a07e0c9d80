#include "isoveil/hub/digest.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace isoveil {

void ContentHash::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Result<ContentHash> ContentHash::Start(HashKind kind, uint64_t size) {
  ContentHash hash(EVP_MD_CTX_new());
  const EVP_MD* algorithm = kind == HashKind::kSha256 ? EVP_sha256() : EVP_sha1();
  if (hash.context_ == nullptr || EVP_DigestInit_ex(hash.context_.get(), algorithm, nullptr) != 1) {
    return Fail(ErrorCode::kUnsupported, "libcrypto", fmt::format("does not offer {}", HashKindName(kind)),
                "allow it in OpenSSL's configuration");
  }
  if (kind == HashKind::kGitBlob) {
    const std::string header = fmt::format("blob {}", size);
    hash.Update(std::as_bytes(std::span(header.c_str(), header.size() + 1)));
  }
  return hash;
}

void ContentHash::Update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

std::string ContentHash::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes = {};
  unsigned size = 0;
  EVP_DigestFinal_ex(context_.get(), bytes.data(), &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

Status HashPrefix(int fd, const Path& path, uint64_t size, ContentHash& hash) {
  std::vector<std::byte> buffer(1 << 20);
  for (uint64_t offset = 0; offset < size;) {
    const size_t wanted = std::min<uint64_t>(buffer.size(), size - offset);
    const ssize_t count = ::pread(fd, buffer.data(), wanted, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(SystemError(path, "cannot read"));
    if (count == 0) {
      return Fail(ErrorCode::kIo, path.string(), fmt::format("ends at {} of {} bytes", offset, size),
                  "another process changes the file");
    }
    hash.Update(std::span(buffer).first(static_cast<size_t>(count)));
    offset += static_cast<uint64_t>(count);
  }
  return Ok();
}

}  // namespace isoveil
