#include "isoveil/apps/command_line.h"

#include <algorithm>
#include <cctype>
#include <iostream>
#include <new>
#include <numeric>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {
namespace {

constexpr size_t kFarthestGuess = 2;  // edits

std::string VariableOf(const std::string& flag) {
  std::string name = "ISOVEIL_";
  for (const char c : flag) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

bool IsAboutTheProgram(const std::string& flag) { return flag == "help" || flag == "version"; }

// Letters to insert, remove or replace.
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string Nearest(const std::string& word, const std::vector<const CLI::App*>& commands) {
  std::string best;
  size_t distance = kFarthestGuess + 1;
  for (const CLI::App* command : commands) {
    const size_t d = EditDistance(word, command->get_name());
    if (d < distance && d < word.size()) {
      distance = d;
      best = command->get_name();
    }
  }
  return best;
}

CLI::App* FindCommand(CLI::App& parent, const std::string& name) {
  const auto found = parent.get_subcommands([&](CLI::App* command) { return command->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

void NameVariables(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_lnames().empty() || IsAboutTheProgram(option->get_lnames().front())) continue;
    option->envname(VariableOf(option->get_lnames().front()));
    if (option->get_items_expected_max() <= 1) continue;
    option->delimiter(',');
    // One value for each flag: what follows is the command's own text.
    option->allow_extra_args(false);
  }
}

}  // namespace

int RunGuarded(int argc, char** argv, const std::function<int()>& run) {
  const bool json = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;
  try {
    return run();
  } catch (const std::bad_alloc&) {
    return Report({ErrorCode::kNoMemory, "isoveil", "there is not enough memory", "lower --memory or --threads"}, json);
  } catch (const std::exception& error) {
    return Report({ErrorCode::kIo, "isoveil", fmt::format("unexpected: {}", error.what()), ""}, json);
  }
}

int ParseAndRun(CLI::App& app, const std::vector<Command>& commands, int argc, char** argv) {
  GiveVariables(app, argc, argv);
  if (const auto problem = UnknownCommand(app, argc, argv)) {
    std::cerr << "isoveil: error: " << *problem << "\n";
    return kExitUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  for (const Command& command : commands) {
    if (command.app->parsed() || command.app == &app) return command.run();
  }
  return kExitUsage;
}

void GiveVariables(CLI::App& app, int argc, const char* const* argv) {
  CLI::App* command = &app;
  if (app.get_subcommands([](const CLI::App*) { return true; }).empty()) return NameVariables(app);
  // CLI11 reads the variables of commands that are not run as well, so these get none.
  for (int i = 1; i < argc && command != nullptr; ++i) {
    command = FindCommand(*command, argv[i]);
    if (command != nullptr) NameVariables(*command);
  }
}

std::optional<std::string> UnknownCommand(const CLI::App& app, int argc, const char* const* argv) {
  const CLI::App* at = &app;
  for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
    const std::string word = argv[i];
    const std::vector<const CLI::App*> commands = at->get_subcommands([](const CLI::App*) { return true; });
    if (commands.empty()) return std::nullopt;
    const auto found = std::find_if(commands.begin(), commands.end(),
                                    [&](const CLI::App* command) { return command->get_name() == word; });
    if (found != commands.end()) {
      at = *found;
      continue;
    }
    const std::string guess = Nearest(word, commands);
    return fmt::format(
        "{} is no command{}", Quoted(word),
        guess.empty() ? "; `isoveil --help` lists them" : fmt::format("; did you mean {}?", Quoted(guess)));
  }
  return std::nullopt;
}

}  // namespace isoveil
