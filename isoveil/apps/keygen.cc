// isoveil keygen: makes a key file.
#include <unistd.h>

#include <iostream>

#include "isoveil/apps/cli.h"

namespace isoveil {
namespace {

struct Options {
  std::string output;
  std::string passphrase_file;
  bool no_passphrase = false;
  bool json = false;
};

// A terminal is asked; a script says what it wants, or gets a key in clear and a warning.
Result<std::optional<SecretBytes>> Passphrase(const Options& options) {
  const bool ask = options.passphrase_file.empty();
  if (options.no_passphrase || (ask && ::isatty(STDIN_FILENO) == 0)) return std::optional<SecretBytes>();
  if (ask) std::cerr << "A passphrase seals the key. Leave it empty to keep the key in clear.\n";
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes passphrase, ReadPassphrase(options.passphrase_file, ask));
  if (passphrase.size() == 0 && ask) return std::optional<SecretBytes>();
  return std::optional<SecretBytes>(std::move(passphrase));
}

Result<RootKey> MakeKey(const Options& options, bool& sealed) {
  ISOVEIL_ASSIGN_OR_RETURN(std::optional<SecretBytes> passphrase, Passphrase(options));
  sealed = passphrase.has_value();
  ISOVEIL_ASSIGN_OR_RETURN(RootKey key, RootKey::Generate());
  ISOVEIL_RETURN_IF_ERROR(WriteKeyFile(options.output, key, std::move(passphrase)));
  return key;
}

int Run(const Options& options) {
  bool sealed = false;
  const Result<RootKey> key = MakeKey(options, sealed);
  if (!key) return Report(key.error(), options.json);
  if (!sealed) {
    std::cerr << "isoveil: warning: " << options.output
              << " is not sealed by a passphrase (mode 0600); whoever reads it can read the traffic\n";
  }
  return Print({{"key_file", options.output}, {"key_id", key->key_id()}, {"sealed", sealed}},
               fmt::format("{}: key {}\n", options.output, key->key_id()), options.json);
}

}  // namespace

Command AddKeygen(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("keygen", "Make a key file");
  app->footer(
      "Make a key file: 256 random bits, sealed by a passphrase (Argon2id, XChaCha20-Poly1305).\n\n"
      "One key encrypts any number of models; each gets unrelated permutations. Without the key the\n"
      "traffic of an encrypted model cannot be read again: keep a copy in a safe place. Nothing is\n"
      "overwritten.\n\n"
      "  isoveil keygen -o my.key");
  auto options = std::make_shared<Options>();
  app->add_option("-o,--output", options->output, "The file to make (mode 0600)")->required();
  app->add_option("--passphrase-file", options->passphrase_file, "File whose first line is the passphrase");
  app->add_flag("--no-passphrase", options->no_passphrase, "Keep the key in clear, without asking");
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
