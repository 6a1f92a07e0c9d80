// The root key and its file.
//
//   ISOVEIL_ASSIGN_OR_RETURN(RootKey key, RootKey::Generate());
//   ISOVEIL_RETURN_IF_ERROR(WriteKeyFile("my.key", key, std::move(passphrase)));
//   ISOVEIL_ASSIGN_OR_RETURN(RootKey again, OpenKeyFile("my.key", std::move(passphrase)));
//
// The file is text of less than 1 KiB:
//
//   isoveil-key 1
//   key-id: 3f2a9c0d11e47b58
//   created: 2026-11-23
//   kdf: argon2id passes=3 memory=268435456 salt=<32 hex>        (or: kdf: none)
//   nonce: <48 hex>                                              (absent with kdf: none)
//   root: <hex>
//
// The root is 32 random bytes, sealed with XChaCha20-Poly1305 under the Argon2id hash of the passphrase; all
// lines before it are authenticated with it. In clear the root stands as it is, and the file must not be
// readable by others. The key id is a hash of the root that tells nothing about it; it is public. Unknown
// versions and lines are refused: a key that is half understood would encrypt into the void. docs/keys.md has
// the bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "isoveil/base/file.h"
#include "isoveil/crypto/seal.h"
#include "isoveil/crypto/secret.h"

namespace isoveil {

// 256 random bits from which everything else is derived. Copies are cheap and share the secret.
class RootKey {
 public:
  static Result<RootKey> Generate();
  // `root` has 32 bytes.
  static Result<RootKey> FromSecret(SecretBytes root);

  // 16 hexadecimal digits; public.
  const std::string& key_id() const { return key_id_; }
  const SecretBytes& secret() const { return *root_; }

 private:
  RootKey(std::shared_ptr<const SecretBytes> root, std::string key_id)
      : root_(std::move(root)), key_id_(std::move(key_id)) {}

  std::shared_ptr<const SecretBytes> root_;
  std::string key_id_;
};

// What the file says without its passphrase.
struct KeyFileHeader {
  std::string key_id;
  std::string created;  // "2026-11-23"
  bool sealed = false;
  KdfCost cost;  // if sealed
};

// True if the file begins as a key file does.
bool IsKeyFile(const Path& path);

// kFormat names the line and field; kUnsupported for another version. `where` names the text in errors.
Result<KeyFileHeader> ParseKeyFileHeader(std::string_view text, const std::string& where);
Result<KeyFileHeader> ReadKeyFileHeader(const Path& path);

// Makes the file with mode 0600; kExists if there is one, kInvalidArgument for an empty passphrase. Without a
// passphrase the root stands in clear: the caller warns.
Status WriteKeyFile(const Path& path, const RootKey& key, std::optional<SecretBytes> passphrase,
                    KdfCost cost = KdfCost::Moderate());

// kAuth for a wrong passphrase, a missing one, or a clear key that others may read; kMismatch if the file
// holds another key than its key-id says. A passphrase for a clear key is not looked at.
Result<RootKey> OpenKeyFile(const Path& path, std::optional<SecretBytes> passphrase);

}  // namespace isoveil
