#include "isoveil/key/key_file.h"

#include <sys/stat.h>

#include <charconv>
#include <ctime>
#include <vector>

#include "isoveil/crypto/hash.h"

namespace isoveil {
namespace {

constexpr std::string_view kMagic = "isoveil-key ";
constexpr std::string_view kVersion = "1";
constexpr size_t kRootBytes = 32;
constexpr uint64_t kMaxFileBytes = 4096;

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  ::gmtime_r(&now, &utc);
  char text[16];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &utc);
  return text;
}

struct ParsedFile {
  KeyFileHeader header;
  Salt salt = {};
  Nonce nonce = {};
  std::string authenticated;  // all lines before the root
  std::vector<std::byte> root;
};

class Parser {
 public:
  Parser(const Path& path, std::string_view text) : path_(path), text_(text) {}

  size_t offset() const { return offset_; }
  bool AtEnd() const { return offset_ == text_.size(); }

  Error Malformed(std::string problem) const {
    return {ErrorCode::kFormat, fmt::format("{}: line {}", path_.string(), line_), std::move(problem),
            "the key file is damaged; use a copy"};
  }

  // The value of the next line, which must begin with `name`.
  Result<std::string_view> Line(std::string_view name) {
    ++line_;
    const size_t end = text_.find('\n', offset_);
    std::string_view line = text_.substr(offset_, end - offset_);
    if (end == std::string_view::npos || !line.starts_with(name)) {
      return tl::unexpected(Malformed(fmt::format("expected a line \"{}...\"", name)));
    }
    offset_ = end + 1;
    line.remove_prefix(name.size());
    return line;
  }

  Status Hex(std::string_view text, std::span<std::byte> bytes, std::string_view what) const {
    return ParseHex(text, bytes, fmt::format("{}: line {}: {}", path_.string(), line_, what));
  }

 private:
  const Path& path_;
  std::string_view text_;
  size_t offset_ = 0;
  int line_ = 0;
};

bool IsDate(std::string_view text) {
  if (text.size() != 10) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 4 || i == 7;
    if (dash ? text[i] != '-' : (text[i] < '0' || text[i] > '9')) return false;
  }
  return true;
}

// "name=123" at the front of `text`, followed by a space.
std::optional<uint64_t> TakeNumber(std::string_view& text, std::string_view name) {
  if (!text.starts_with(name)) return std::nullopt;
  text.remove_prefix(name.size());
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto used = static_cast<size_t>(end - text.data());
  if (error != std::errc() || used >= text.size() || text[used] != ' ') return std::nullopt;
  text.remove_prefix(used + 1);
  return value;
}

Status ParseKdf(Parser& parser, std::string_view kdf, ParsedFile& file) {
  if (kdf == "none") return Ok();
  file.header.sealed = true;
  constexpr std::string_view kArgon = "argon2id ";
  constexpr std::string_view kSalt = "salt=";
  if (!kdf.starts_with(kArgon)) return tl::unexpected(parser.Malformed("expected kdf none or argon2id"));
  kdf.remove_prefix(kArgon.size());
  const auto passes = TakeNumber(kdf, "passes=");
  const auto memory = passes ? TakeNumber(kdf, "memory=") : std::nullopt;
  if (!memory || !kdf.starts_with(kSalt)) {
    return tl::unexpected(parser.Malformed("expected passes=N memory=N salt=HEX"));
  }
  file.header.cost = {*passes, *memory};
  if (*passes < 1 || *passes > KdfCost::kMaxPasses || *memory < KdfCost::kMinMemory ||
      *memory > KdfCost::kMaxMemory) {
    return tl::unexpected(
        parser.Malformed(fmt::format("expected at most {} passes over at most {} bytes, found {} over {}",
                                     KdfCost::kMaxPasses, KdfCost::kMaxMemory, *passes, *memory)));
  }
  return parser.Hex(kdf.substr(kSalt.size()), file.salt, "salt");
}

Result<ParsedFile> Parse(const Path& path, std::string_view text) {
  ParsedFile file;
  Parser parser(path, text);
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view version, parser.Line(kMagic));
  if (version != kVersion) {
    return Fail(ErrorCode::kUnsupported, path.string(),
                fmt::format("expected version {}, found {}", kVersion, Quoted(version)),
                "use the version that made it");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view key_id, parser.Line("key-id: "));
  std::array<std::byte, 8> id_bytes;
  ISOVEIL_RETURN_IF_ERROR(parser.Hex(key_id, id_bytes, "key-id"));
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view created, parser.Line("created: "));
  if (!IsDate(created)) return tl::unexpected(parser.Malformed("expected a date such as 2026-11-23"));
  file.header.key_id = key_id;
  file.header.created = created;
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view kdf, parser.Line("kdf: "));
  ISOVEIL_RETURN_IF_ERROR(ParseKdf(parser, kdf, file));
  if (file.header.sealed) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::string_view nonce, parser.Line("nonce: "));
    ISOVEIL_RETURN_IF_ERROR(parser.Hex(nonce, file.nonce, "nonce"));
  }
  file.authenticated = text.substr(0, parser.offset());
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view root, parser.Line("root: "));
  file.root.resize(kRootBytes + (file.header.sealed ? 16 : 0));
  ISOVEIL_RETURN_IF_ERROR(parser.Hex(root, file.root, "root"));
  if (!parser.AtEnd()) return tl::unexpected(parser.Malformed("expected nothing after it"));
  return file;
}

Result<ParsedFile> Read(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(std::string text, ReadTextFile(path, kMaxFileBytes));
  Result<ParsedFile> file = Parse(path, text);
  Wipe(std::as_writable_bytes(std::span(text)));
  return file;
}

Status CheckPrivate(const Path& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return tl::unexpected(SystemError(path, "cannot stat"));
  if ((info.st_mode & 077) == 0) return Ok();
  return Fail(ErrorCode::kAuth, path.string(),
              fmt::format("holds a key in clear and others may read it (mode {:04o})", info.st_mode & 07777),
              "chmod 600 " + path.string());
}

}  // namespace

Result<RootKey> RootKey::Generate() {
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes root, SecretBytes::Random(kRootBytes));
  return FromSecret(std::move(root));
}

Result<RootKey> RootKey::FromSecret(SecretBytes root) {
  if (root.size() != kRootBytes) {
    return Fail(ErrorCode::kFormat, "root key",
                fmt::format("expected {} bytes, found {}", kRootBytes, root.size()));
  }
  constexpr std::string_view kLabel = "isoveil-key-id-1";
  ISOVEIL_ASSIGN_OR_RETURN(const SecretBytes id, KeyedHash(root, std::as_bytes(std::span(kLabel))));
  std::string key_id = Hex(id.InsecureBytes().first(8));
  return RootKey(std::make_shared<const SecretBytes>(std::move(root)), std::move(key_id));
}

bool IsKeyFile(const Path& path) {
  const auto file = MappedFile::Open(path);
  if (!file || file->bytes().size() < kMagic.size()) return false;
  return std::string_view(reinterpret_cast<const char*>(file->bytes().data()), kMagic.size()) == kMagic;
}

Result<KeyFileHeader> ReadKeyFileHeader(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(ParsedFile file, Read(path));
  Wipe(file.root);
  return std::move(file.header);
}

Status WriteKeyFile(const Path& path, const RootKey& key, std::optional<SecretBytes> passphrase,
                    KdfCost cost) {
  std::string text = fmt::format("{}{}\nkey-id: {}\ncreated: {}\n", kMagic, kVersion, key.key_id(), Today());
  if (!passphrase) {
    text += "kdf: none\nroot: " + Hex(key.secret().InsecureBytes()) + "\n";
  } else {
    Salt salt;
    Nonce nonce;
    FillRandom(salt);
    FillRandom(nonce);
    text += fmt::format("kdf: argon2id passes={} memory={} salt={}\nnonce: {}\n", cost.passes,
                        cost.memory_bytes, Hex(salt), Hex(nonce));
    ISOVEIL_ASSIGN_OR_RETURN(const SecretBytes sealing, DeriveFromPassphrase(*passphrase, salt, cost));
    text += "root: " + Hex(Seal(sealing, nonce, std::as_bytes(std::span(text)), key.secret())) + "\n";
  }
  const Status written = WriteNewFile(path, text, 0600);
  Wipe(std::as_writable_bytes(std::span(text)));
  return written;
}

Result<RootKey> OpenKeyFile(const Path& path, std::optional<SecretBytes> passphrase) {
  ISOVEIL_ASSIGN_OR_RETURN(ParsedFile file, Read(path));
  if (!file.header.sealed) ISOVEIL_RETURN_IF_ERROR(CheckPrivate(path));
  if (file.header.sealed && !passphrase) {
    return Fail(ErrorCode::kAuth, path.string(), "is sealed, and no passphrase was given",
                "pass --passphrase-file");
  }
  Result<SecretBytes> root = [&]() -> Result<SecretBytes> {
    if (!file.header.sealed) return SecretBytes::CopyOf(file.root);
    ISOVEIL_ASSIGN_OR_RETURN(const SecretBytes sealing,
                             DeriveFromPassphrase(*passphrase, file.salt, file.header.cost));
    return OpenSeal(sealing, file.nonce, std::as_bytes(std::span(file.authenticated)), file.root);
  }();
  Wipe(file.root);
  if (!root) {
    Error error = std::move(root).error();
    error.where = fmt::format("{}: {}", path.string(), error.where);
    return tl::unexpected(std::move(error));
  }
  ISOVEIL_ASSIGN_OR_RETURN(RootKey key, RootKey::FromSecret(*std::move(root)));
  if (key.key_id() != file.header.key_id) {
    return Fail(ErrorCode::kMismatch, path.string(),
                fmt::format("says key {}, but holds key {}", file.header.key_id, key.key_id()),
                "the key file is damaged; use a copy");
  }
  return key;
}

}  // namespace isoveil
