#include "isoveil/apps/cli.h"

#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "isoveil/base/mapping_guard.h"
#include "isoveil/tokenizer/template_worker.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

// Switches the terminal's echo off while it lives.
class QuietTerminal {
 public:
  QuietTerminal() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~QuietTerminal() { ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

 private:
  termios before_ = {};
};

constexpr size_t kMaxPassphrase = 1024;

// The bytes up to the end of the line, never in unlocked memory.
Result<SecretBytes> ReadLine(int fd, const std::string& where) {
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes buffer, SecretBytes::Allocate(kMaxPassphrase));
  const std::span<std::byte> bytes = buffer.InsecureMutableBytes();
  size_t size = 0;
  for (;;) {
    if (size == bytes.size()) {
      return Fail(ErrorCode::kInvalidArgument, where,
                  fmt::format("the passphrase is longer than {} bytes", kMaxPassphrase));
    }
    if (fd != STDIN_FILENO) ISOVEIL_RETURN_IF_ERROR(WaitForInput(fd, where));
    const ssize_t count = ::read(fd, &bytes[size], 1);
    if (count < 0) return tl::unexpected(SystemError(where, "cannot read"));
    if (count == 0 || bytes[size] == std::byte{'\n'}) break;
    ++size;
  }
  return SecretBytes::CopyOf(bytes.first(size));
}

Result<SecretBytes> AskPassphrase(const char* prompt) {
  std::cerr << prompt << std::flush;
  const QuietTerminal quiet;
  Result<SecretBytes> line = ReadLine(STDIN_FILENO, "terminal");
  std::cerr << "\n";
  return line;
}

}  // namespace

void AddJsonOption(CLI::App& app, bool& json) {
  app.add_flag("--json", json, "Print one JSON object on stdout, for errors too");
}

void AddKeyOptions(CLI::App& app, KeyOptions& options) {
  app.add_option("-k,--key", options.key_file, "Key file made by `isoveil keygen`")->required();
  app.add_option("--passphrase-file", options.passphrase_file,
                 "File whose first line is the key's passphrase; asked on the terminal otherwise");
}

Result<SecretBytes> ReadPassphrase(const std::string& passphrase_file, bool confirm) {
  if (!passphrase_file.empty()) {
    ISOVEIL_ASSIGN_OR_RETURN(const int fd, OpenFileOrPipe(passphrase_file));
    Result<SecretBytes> line = ReadLine(fd, passphrase_file);
    ::close(fd);
    return line;
  }
  if (::isatty(STDIN_FILENO) == 0) {
    return Fail(ErrorCode::kInvalidArgument, "passphrase", "the key is sealed and there is no terminal to ask on",
                "pass --passphrase-file");
  }
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes passphrase, AskPassphrase("Passphrase: "));
  if (!confirm) return passphrase;
  ISOVEIL_ASSIGN_OR_RETURN(const SecretBytes again, AskPassphrase("The same again: "));
  if (!ConstantTimeEqual(passphrase.InsecureBytes(), again.InsecureBytes())) {
    return Fail(ErrorCode::kInvalidArgument, "passphrase", "the two entries differ");
  }
  return passphrase;
}

namespace {

Result<RootKey> ReadKey(const KeyOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const KeyFileHeader header, ReadKeyFileHeader(options.key_file));
  if (!header.sealed) {
    std::cerr << "isoveil: warning: " << options.key_file
              << " is not sealed by a passphrase; whoever reads the file can read the traffic\n";
    return OpenKeyFile(options.key_file, std::nullopt);
  }
  ISOVEIL_ASSIGN_OR_RETURN(SecretBytes passphrase, ReadPassphrase(options.passphrase_file, false));
  return OpenKeyFile(options.key_file, std::move(passphrase));
}

}  // namespace

void AddLoraOption(CLI::App& app, std::string& lora) {
  app.add_option("--lora", lora, "Folder of a LoRA adapter (PEFT) to merge into the model's weights");
}

Result<RootKey> OpenKey(const KeyOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(RootKey key, ReadKey(options));
  if (!key.secret().locked()) {
    std::cerr << "isoveil: warning: the key cannot be locked in memory and may be written to the swap space; "
                 "raise the "
                 "limit (ulimit -l)\n";
  }
  return key;
}

int Report(const Error& reported, bool json) {
  // What was read after a mapped file was cut off is no error of its own.
  const Status mappings = CheckMappings();
  const Error& error = mappings ? reported : mappings.error();
  std::cerr << "isoveil: error: " << error.Message() << "\n";
  if (!error.hint.empty()) std::cerr << "isoveil: hint: " << error.hint << "\n";
  if (json) {
    std::cout << ordered_json{{"error",
                               {{"code", ErrorCodeName(error.code)},
                                {"where", error.where},
                                {"problem", error.problem},
                                {"hint", error.hint}}}}
                     .dump(2, ' ', false, ordered_json::error_handler_t::replace)
              << "\n";
  }
  return error.code == ErrorCode::kInvalidArgument ? kExitUsage : kExitFailure;
}

int Print(const ordered_json& data, const std::string& text, bool json) {
  if (const Status mappings = CheckMappings(); !mappings) return Report(mappings.error(), json);
  if (json) {
    std::cout << data.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  } else {
    std::cout << text;
  }
  std::cout.flush();
  if (std::cout) return kExitOk;
  std::cerr << "isoveil: error: cannot write to stdout\n";
  return kExitFailure;
}

std::string ReadStdin() { return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()}; }

std::string HumanBytes(uint64_t bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

uint64_t PeakRssBytes() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

std::vector<std::string> TemplateWorkerProgram() { return {"/proc/self/exe", kTemplateWorkerCommand}; }

}  // namespace isoveil
