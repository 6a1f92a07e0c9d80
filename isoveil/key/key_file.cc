#include "isoveil/key/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>
#include <vector>

#include "isoveil/crypto/hash.h"

namespace isoveil {
namespace {

constexpr std::string_view kMagic = "isoveil-key ";
constexpr std::string_view kVersion = "1";
constexpr size_t kRootBytes = 32;
constexpr size_t kTagBytes = 16;
constexpr size_t kKeyIdBytes = 8;
constexpr size_t kMaxFileBytes = 1024;

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  ::gmtime_r(&now, &utc);
  char text[16];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &utc);
  return text;
}

// Views stand in the text.
struct ParsedFile {
  KeyFileHeader header;
  Salt salt = {};
  Nonce nonce = {};
  std::string_view authenticated;  // all lines before the root
  SecretBytes root;                // if sealed, with the tag after it
};

class Parser {
 public:
  Parser(const std::string& where, std::string_view text) : where_(where), text_(text) {}

  size_t offset() const { return offset_; }
  bool AtEnd() const { return offset_ == text_.size(); }

  tl::unexpected<Error> Malformed(std::string problem) const {
    return Fail(ErrorCode::kFormat, fmt::format("{}: line {}", where_, line_), std::move(problem),
                "the key file is damaged; use a copy");
  }

  // The value of the next line, which must begin with `name`.
  Result<std::string_view> Line(std::string_view name) {
    ++line_;
    std::string_view line = text_.substr(offset_);
    if (!line.starts_with(name)) return Malformed(fmt::format("expected a line \"{}...\"", name));
    const size_t end = line.find('\n');
    if (end == std::string_view::npos) return Malformed("expected a line end; the file is cut short");
    offset_ += end + 1;
    return line.substr(name.size(), end - name.size());
  }

  Status Hex(std::string_view text, std::span<std::byte> bytes, std::string_view what) const {
    if (ParseHex(text, bytes, "")) return Ok();
    return Malformed(fmt::format("{}: expected {} lower-case hexadecimal digits", what, 2 * bytes.size()));
  }

 private:
  const std::string& where_;
  std::string_view text_;
  size_t offset_ = 0;
  int line_ = 0;
};

// Digits alone, without leading zeros.
std::optional<uint64_t> Number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return value;
}

// YYYY-MM-DD of a day that exists.
bool IsDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto part = [&](size_t begin, size_t size) {
    unsigned value = 0;
    for (const char c : text.substr(begin, size)) {
      if (c < '0' || c > '9') return 0U;
      value = 10 * value + static_cast<unsigned>(c - '0');
    }
    return value;
  };
  const unsigned year = part(0, 4);
  return year != 0 && std::chrono::year_month_day{std::chrono::year(static_cast<int>(year)),
                                                  std::chrono::month(part(5, 2)), std::chrono::day(part(8, 2))}
                          .ok();
}

// Takes "NAME=VALUE", up to a space or the end, off the front of `text`.
Result<std::string_view> TakeField(const Parser& parser, std::string_view& text, std::string_view name) {
  if (!text.starts_with(name) || text.substr(name.size(), 1) != "=") {
    return parser.Malformed(fmt::format("expected kdf: argon2id passes=N memory=N salt=HEX, without {}", name));
  }
  text.remove_prefix(name.size() + 1);
  const size_t end = std::min(text.find(' '), text.size());
  const std::string_view value = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return value;
}

// The bounds keep a foreign file from taking all memory or hours.
Result<uint64_t> TakeNumber(const Parser& parser, std::string_view& text, std::string_view name, uint64_t min,
                            uint64_t max) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view value, TakeField(parser, text, name));
  const std::optional<uint64_t> number = Number(value);
  if (number && *number >= min && *number <= max) return *number;
  return parser.Malformed(fmt::format("{}: expected a number from {} to {}, found {}", name, min, max, Quoted(value)));
}

Status ParseKdf(const Parser& parser, std::string_view kdf, ParsedFile& file) {
  if (kdf == "none") return Ok();
  constexpr std::string_view kArgon = "argon2id ";
  if (!kdf.starts_with(kArgon)) {
    return parser.Malformed(fmt::format("kdf: expected none or argon2id, found {}", Quoted(kdf)));
  }
  kdf.remove_prefix(kArgon.size());
  file.header.sealed = true;
  ISOVEIL_ASSIGN_OR_RETURN(file.header.cost.passes, TakeNumber(parser, kdf, "passes", 1, KdfCost::kMaxPasses));
  ISOVEIL_ASSIGN_OR_RETURN(file.header.cost.memory_bytes,
                           TakeNumber(parser, kdf, "memory", KdfCost::kMinMemory, KdfCost::kMaxMemory));
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view salt, TakeField(parser, kdf, "salt"));
  if (!kdf.empty()) return parser.Malformed("kdf: expected nothing after the salt");
  return parser.Hex(salt, file.salt, "salt");
}

Result<ParsedFile> Parse(std::string_view text, const std::string& where) {
  Parser parser(where, text);
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view version, parser.Line(kMagic));
  if (version != kVersion) {
    return Fail(ErrorCode::kUnsupported, where,
                fmt::format("expected key file version {}, found {}", kVersion, Quoted(version)),
                "use the version of isoveil that made it, or a later one");
  }
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes root, SecretBytes::Allocate(kRootBytes));
  ParsedFile file{.root = std::move(root)};
  ISOVEIL_ASSIGN_OR_RETURN(file.header.key_id, parser.Line("key-id: "));
  std::array<std::byte, kKeyIdBytes> id_bytes = {};
  ISOVEIL_RETURN_IF_ERROR(parser.Hex(file.header.key_id, id_bytes, "key-id"));
  ISOVEIL_ASSIGN_OR_RETURN(file.header.created, parser.Line("created: "));
  if (!IsDate(file.header.created)) {
    return parser.Malformed("created: expected a date such as 2026-11-23");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view kdf, parser.Line("kdf: "));
  ISOVEIL_RETURN_IF_ERROR(ParseKdf(parser, kdf, file));
  if (file.header.sealed) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::string_view nonce, parser.Line("nonce: "));
    ISOVEIL_RETURN_IF_ERROR(parser.Hex(nonce, file.nonce, "nonce"));
    ISOVEIL_ASSIGN_OR_RETURN(file.root, SecretBytes::Allocate(kRootBytes + kTagBytes));
  }
  file.authenticated = text.substr(0, parser.offset());
  ISOVEIL_ASSIGN_OR_RETURN(const std::string_view hex, parser.Line("root: "));
  ISOVEIL_RETURN_IF_ERROR(parser.Hex(hex, file.root.InsecureMutableBytes(), "root"));
  if (!parser.AtEnd()) return parser.Malformed("expected nothing after it");
  return file;
}

// A clear key stands in it, so the text is a secret.
struct FileText {
  SecretBytes buffer;
  size_t size = 0;
  unsigned mode = 0;  // of the very file that was read

  std::string_view view() const { return {reinterpret_cast<const char*>(buffer.InsecureBytes().data()), size}; }
};

Result<FileText> ReadOpen(int fd, const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes buffer, SecretBytes::Allocate(kMaxFileBytes + 1));
  FileText text{.buffer = std::move(buffer)};
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return tl::unexpected(SystemError(path, "cannot stat"));
  text.mode = info.st_mode & 07777;
  const std::span<std::byte> bytes = text.buffer.InsecureMutableBytes();
  while (text.size < bytes.size()) {
    const ssize_t count = ::read(fd, bytes.data() + text.size, bytes.size() - text.size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(SystemError(path, "cannot read"));
    if (count == 0) return text;
    text.size += static_cast<size_t>(count);
  }
  return Fail(ErrorCode::kFormat, path.string(), fmt::format("expected a key file of at most {} bytes", kMaxFileBytes),
              "pass a key file");
}

Result<FileText> Read(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const int fd, OpenRegularFile(path));
  Result<FileText> text = ReadOpen(fd, path);
  ::close(fd);
  return text;
}

Status CheckPrivate(const Path& path, unsigned mode) {
  if ((mode & 077) == 0) return Ok();
  return Fail(ErrorCode::kAuth, path.string(),
              fmt::format("holds a key in clear and others may read it (mode {:04o})", mode),
              "chmod 600 " + path.string());
}

Result<SecretBytes> Unseal(const ParsedFile& file, const SecretBytes& passphrase) {
  ISOVEIL_ASSIGN_OR_RETURN(const SecretBytes key, DeriveFromPassphrase(passphrase, file.salt, file.header.cost));
  return OpenSeal(key, file.nonce, std::as_bytes(std::span(file.authenticated)), file.root.InsecureBytes());
}

// The text of a key file, built in memory that is wiped.
class Writer {
 public:
  explicit Writer(SecretBytes buffer) : buffer_(std::move(buffer)) {}

  // `text` fits: all fields have a bounded size.
  void Append(std::string_view text) {
    std::memcpy(buffer_.InsecureMutableBytes().data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  void AppendHex(std::span<const std::byte> bytes) {
    std::string hex = Hex(bytes);
    Append(hex);
    Wipe(std::as_writable_bytes(std::span(hex)));
  }
  std::string_view text() const { return {reinterpret_cast<const char*>(buffer_.InsecureBytes().data()), size_}; }

 private:
  SecretBytes buffer_;
  size_t size_ = 0;
};

Status AppendSealed(Writer& file, const RootKey& key, const SecretBytes& passphrase, KdfCost cost) {
  if (passphrase.size() == 0) {
    return Fail(ErrorCode::kInvalidArgument, "passphrase", "is empty, which seals nothing",
                "choose a passphrase, or ask for a key in clear");
  }
  Salt salt;
  Nonce nonce;
  FillRandom(salt);
  FillRandom(nonce);
  ISOVEIL_ASSIGN_OR_RETURN(const SecretBytes sealing, DeriveFromPassphrase(passphrase, salt, cost));
  file.Append(fmt::format("kdf: argon2id passes={} memory={} salt={}\nnonce: {}\n", cost.passes, cost.memory_bytes,
                          Hex(salt), Hex(nonce)));
  const auto box = Seal(sealing, nonce, std::as_bytes(std::span(file.text())), key.secret());
  file.Append("root: ");
  file.AppendHex(box);
  return Ok();
}

}  // namespace

Result<RootKey> RootKey::Generate() {
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes root, SecretBytes::Random(kRootBytes));
  return FromSecret(std::move(root));
}

Result<RootKey> RootKey::FromSecret(SecretBytes root) {
  if (root.size() != kRootBytes) {
    return Fail(ErrorCode::kFormat, "root key", fmt::format("expected {} bytes, found {}", kRootBytes, root.size()));
  }
  constexpr std::string_view kLabel = "isoveil-key-id-1";
  ISOVEIL_ASSIGN_OR_RETURN(const SecretBytes id, KeyedHash(root, std::as_bytes(std::span(kLabel))));
  std::string key_id = Hex(id.InsecureBytes().first(kKeyIdBytes));
  return RootKey(std::make_shared<const SecretBytes>(std::move(root)), std::move(key_id));
}

bool IsKeyFile(const Path& path) {
  const auto file = MappedFile::Open(path);
  if (!file || file->bytes().size() < kMagic.size()) return false;
  return std::string_view(reinterpret_cast<const char*>(file->bytes().data()), kMagic.size()) == kMagic;
}

Result<KeyFileHeader> ParseKeyFileHeader(std::string_view text, const std::string& where) {
  ISOVEIL_ASSIGN_OR_RETURN(ParsedFile file, Parse(text, where));
  return std::move(file.header);
}

Result<KeyFileHeader> ReadKeyFileHeader(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const FileText text, Read(path));
  return ParseKeyFileHeader(text.view(), path.string());
}

Status WriteKeyFile(const Path& path, const RootKey& key, std::optional<SecretBytes> passphrase, KdfCost cost) {
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes buffer, SecretBytes::Allocate(kMaxFileBytes));
  Writer file(std::move(buffer));
  file.Append(fmt::format("{}{}\nkey-id: {}\ncreated: {}\n", kMagic, kVersion, key.key_id(), Today()));
  if (passphrase) {
    ISOVEIL_RETURN_IF_ERROR(AppendSealed(file, key, *passphrase, cost));
  } else {
    file.Append("kdf: none\nroot: ");
    file.AppendHex(key.secret().InsecureBytes());
  }
  file.Append("\n");
  ISOVEIL_RETURN_IF_ERROR(WriteNewFile(path, file.text(), 0600));
  return SyncFolder(path.has_parent_path() ? path.parent_path() : Path("."));
}

Result<RootKey> OpenKeyFile(const Path& path, std::optional<SecretBytes> passphrase) {
  ISOVEIL_ASSIGN_OR_RETURN(const FileText text, Read(path));
  ISOVEIL_ASSIGN_OR_RETURN(ParsedFile file, Parse(text.view(), path.string()));
  if (!file.header.sealed) {
    ISOVEIL_RETURN_IF_ERROR(CheckPrivate(path, text.mode));
  } else if (!passphrase) {
    return Fail(ErrorCode::kAuth, path.string(), "is sealed, and no passphrase was given", "pass --passphrase-file");
  } else {
    Result<SecretBytes> root = Unseal(file, *passphrase);
    if (!root) {
      Error error = std::move(root).error();
      error.where = fmt::format("{}: {}", path.string(), error.where);
      return tl::unexpected(std::move(error));
    }
    file.root = *std::move(root);
  }
  ISOVEIL_ASSIGN_OR_RETURN(RootKey key, RootKey::FromSecret(std::move(file.root)));
  if (key.key_id() != file.header.key_id) {
    return Fail(ErrorCode::kMismatch, path.string(),
                fmt::format("says key {}, but holds key {}", file.header.key_id, key.key_id()),
                "the key file is damaged; use a copy");
  }
  return key;
}

}  // namespace isoveil
