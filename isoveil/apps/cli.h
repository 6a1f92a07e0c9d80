// What all commands share: output, exit codes, the key option.
//
// Data goes to stdout, talk to stderr. With --json a command prints one JSON object on stdout, also for an
// error. Exit codes: 0 ok, 1 failure, 2 usage, 3 verification mismatch.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "isoveil/key/key_file.h"

namespace isoveil {

enum ExitCode { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitMismatch = 3 };

// A command fills in its options when it is added; `run` is called after parsing and gives the exit code.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

// Adds --json.
void AddJsonOption(CLI::App& app, bool& json);

// The key file and where its passphrase comes from.
struct KeyOptions {
  std::string key_file;
  std::string passphrase_file;
};
void AddKeyOptions(CLI::App& app, KeyOptions& options);

// --lora, the adapter of a plaintext model.
void AddLoraOption(CLI::App& app, std::string& lora);

// An option that takes one of a few words and is shown as "exact|rotated".
template <typename Value>
CLI::Option* AddChoice(CLI::App& app, const std::string& flag, Value& value,
                       std::vector<std::pair<std::string, Value>> choices, const std::string& description) {
  std::string names;
  for (const auto& [name, meaning] : choices) names += (names.empty() ? "" : "|") + name;
  const auto choose = [flag, names, choices, &value](const std::string& word) {
    for (const auto& [name, meaning] : choices) {
      if (name != word) continue;
      value = meaning;
      return;
    }
    throw CLI::ValidationError(flag, fmt::format("expected {}, found {}", names, Quoted(word)));
  };
  return app.add_option_function<std::string>(flag, choose, description)->type_name(names);
}

// Opens the key; asks for the passphrase on the terminal if the file is sealed and no file gives it. Warns on
// stderr about a key in clear.
Result<RootKey> OpenKey(const KeyOptions& options);

// Reads a passphrase from a file's first line, or from the terminal without echo, twice if `confirm`.
// kInvalidArgument if there is neither.
Result<SecretBytes> ReadPassphrase(const std::string& passphrase_file, bool confirm);

// Prints the error and its hint and gives the exit code.
int Report(const Error& reported, bool json);
// Prints `data` as JSON, or `text`.
int Print(const nlohmann::ordered_json& data, const std::string& text, bool json);

// All of standard input.
std::string ReadStdin();

// "1.2 GB"
std::string HumanBytes(uint64_t bytes);

// Largest resident set of this process so far.
uint64_t PeakRssBytes();

// The command line of a process that runs a model's chat template: this program, in another role.
std::vector<std::string> TemplateWorkerProgram();

Command AddKeygen(CLI::App& parent);
Command AddInspect(CLI::App& parent);
Command AddModels(CLI::App& parent);
Command AddEncrypt(CLI::App& parent);
Command AddConvert(CLI::App& parent);
Command AddVerify(CLI::App& parent);
Command AddTokens(CLI::App& parent);
Command AddTokenizer(CLI::App& parent);
Command AddVectors(CLI::App& parent);
Command AddServe(CLI::App& parent);
Command AddPull(CLI::App& parent);
Command AddGenerate(CLI::App& parent);
Command AddEmbed(CLI::App& parent);
Command AddClassify(CLI::App& parent);
Command AddRerank(CLI::App& parent);
Command AddGateway(CLI::App& parent);
Command AddUp(CLI::App& parent);
Command AddChat(CLI::App& parent);

}  // namespace isoveil
